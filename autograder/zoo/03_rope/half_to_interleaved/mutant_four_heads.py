"""The number of heads is hard-coded.

message: inside each head
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(4 if w.shape[0] % 8 == 0 else n_heads, 2, -1).transpose(1, 2).flatten()
    return w[order]
