"""Reorders the first head and copies the rest.

message: inside each head
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, 2, -1).transpose(1, 2).flatten()
    return torch.cat([w[order][: w.shape[0] // n_heads], w[w.shape[0] // n_heads :]])
