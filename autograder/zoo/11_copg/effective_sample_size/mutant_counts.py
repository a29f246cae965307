"""Counts the weights that are not zero.

message: ESS
"""
def effective_sample_size(w):
    return (w > 0).sum().to(w.dtype)
