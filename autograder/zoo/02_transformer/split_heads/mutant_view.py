"""Views without a transpose.

message: tears the tokens apart
"""


def split_heads(x, n_heads):
    B, T, D = x.shape
    return x.view(B, n_heads, T, D // n_heads)
