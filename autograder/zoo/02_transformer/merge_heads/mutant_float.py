"""Converts to float.

message: Any dtype is kept
"""


def merge_heads(x):
    if not x.is_floating_point():
        x = x.float()
    return x.transpose(1, 2).flatten(2)
