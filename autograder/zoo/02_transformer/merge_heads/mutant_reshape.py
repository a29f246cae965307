"""Reshapes without a transpose.

message: mixes the tokens
"""


def merge_heads(x):
    B, H, T, d = x.shape
    return x.reshape(B, T, H * d)
