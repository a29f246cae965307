"""Assumes that the weight is square.

message: raised
"""


def half_to_interleaved(w, n_heads):
    n = w.shape[0]
    return w.view(n_heads, 2, n // n_heads // 2, n).transpose(1, 2).reshape(n, n)
