"""Returns a Python float.

message: tensor
"""
def effective_sample_size(w):
    return float(w.sum() ** 2 / w.square().sum())
