"""Divides by N.

message: fraction
"""
def effective_sample_size(w):
    return w.sum() ** 2 / w.square().sum() / len(w)
