"""Leaves [B, T, H, d].

message: [B, H, T, d]
"""


def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.view(B, T, n_heads, D // n_heads)
