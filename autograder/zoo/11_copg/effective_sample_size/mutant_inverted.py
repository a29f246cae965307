"""The inverse, times N.

message: squared sum
"""
def effective_sample_size(w):
    return len(w) * w.square().sum() / w.sum() ** 2
