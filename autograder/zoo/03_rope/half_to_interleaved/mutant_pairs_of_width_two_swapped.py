"""Swaps the rows of heads that are two wide.

message: whatever they are
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    if len(rows) == 2 * n_heads:
        return w.flip(0)
    return w[rows.view(n_heads, 2, -1).transpose(1, 2).reshape(-1)]
