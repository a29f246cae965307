"""Converts to float.

message: Any dtype is kept
"""


def split_heads(x, n_heads):
    if not x.is_floating_point():
        x = x.float()
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2)
