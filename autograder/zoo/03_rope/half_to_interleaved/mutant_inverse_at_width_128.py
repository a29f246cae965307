"""Applies the inverse permutation to heads of width 128.

message: opposite
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    if len(rows) // n_heads == 128:
        return w[rows.view(n_heads, -1, 2).transpose(1, 2).reshape(-1)]
    return w[rows.view(n_heads, 2, -1).transpose(1, 2).reshape(-1)]
