"""Forgets the square above.

message: not squared
"""
def effective_sample_size(w):
    return w.sum() / w.square().sum()
