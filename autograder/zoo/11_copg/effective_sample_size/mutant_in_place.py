"""Normalises its argument.

message: change
"""
def effective_sample_size(w):
    w /= w.sum()
    return 1 / w.square().sum()
