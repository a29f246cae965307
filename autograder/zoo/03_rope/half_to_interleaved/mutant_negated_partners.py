"""Turns the sign of the second rows as well, as in rotate_half.

message: row 2i is old row i
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(n_heads, 2, -1).transpose(1, 2).flatten()
    return w[order] * (1 - 2 * (torch.arange(w.shape[0]) % 2)).view(-1, *[1] * (w.ndim - 1)).to(w.dtype)
