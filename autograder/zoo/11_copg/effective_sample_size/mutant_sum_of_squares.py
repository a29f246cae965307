"""Only the denominator.

message: sum of the squares
"""
def effective_sample_size(w):
    return w.square().sum()
