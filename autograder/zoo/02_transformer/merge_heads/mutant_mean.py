"""Averages over the heads.

message: head h
"""


def merge_heads(x):
    return x.mean(1)
