"""1 / max of the normalised weights.

message: largest weight
"""
def effective_sample_size(w):
    return w.sum() / w.max()
