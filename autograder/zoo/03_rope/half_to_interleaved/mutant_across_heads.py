"""Reorders the whole matrix as one head.

message: inside each head
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(2, -1).T.flatten()
    return w[order]
