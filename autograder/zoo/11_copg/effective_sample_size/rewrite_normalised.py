"""Normalises first."""
def effective_sample_size(w):
    p = w / w.sum()
    return 1 / (p * p).sum()
