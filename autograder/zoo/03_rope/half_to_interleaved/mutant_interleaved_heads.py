"""Thinks that heads alternate by row.

message: inside each head
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(2, -1, n_heads).permute(2, 1, 0).flatten()
    return w[order]
