"""Reorders the columns of the weight.

message: reordered the columns
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, 2, -1).transpose(1, 2).flatten()
    return w[:, order % w.shape[1]] if w.ndim == 2 else w[order]
