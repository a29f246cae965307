"""The last head first.

message: wrong order
"""


def merge_heads(x):
    return x.flip(1).transpose(1, 2).flatten(2)
