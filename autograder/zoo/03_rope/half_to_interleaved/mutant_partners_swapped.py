"""The second half's row first.

message: two rows of each pair are swapped
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, 2, -1).flip(1).transpose(1, 2).flatten()
    return w[order]
