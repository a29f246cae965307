"""Adds a constant to the denominator.

message: ESS
"""
def effective_sample_size(w):
    return w.sum() ** 2 / (w.square().sum() + 1e-3)
