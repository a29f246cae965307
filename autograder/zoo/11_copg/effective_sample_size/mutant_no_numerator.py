"""Assumes normalised weights.

message: numerator is missing
"""
def effective_sample_size(w):
    return 1 / w.square().sum()
