"""Unpacks two dimensions: fails on a bias.

message: raised
"""


def half_to_interleaved(w, n_heads):
    n, d_model = w.shape
    return w.view(n_heads, 2, n // n_heads // 2, d_model).transpose(1, 2).reshape(n, d_model)
