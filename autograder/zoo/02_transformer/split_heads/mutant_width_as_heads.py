"""Takes n_heads for the width of a head.

message: [B, H, T, d]
"""


def split_heads(x, n_heads):
    return x.unflatten(-1, (-1, n_heads)).transpose(1, 2)
