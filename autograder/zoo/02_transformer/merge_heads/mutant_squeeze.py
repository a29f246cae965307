"""Drops dimensions of size 1.

message: head h
"""


def merge_heads(x):
    return x.transpose(1, 2).flatten(2).squeeze(1)
