"""Drops dimensions of size 1.

message: [B, H, T, d]
"""


def split_heads(x, n_heads):
    return x.unflatten(-1, (n_heads, -1)).transpose(1, 2).squeeze()
