"""The second half of a head is taken from its end.

message: row 2i is old row i
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = torch.stack([rows.view(n_heads, 2, -1)[:, 0], rows.view(n_heads, 2, -1)[:, 1].flip(-1)], dim=-1).flatten()
    return w[order]
