"""N / (1 + cv^2) with the sample variance.

message: Bessel
"""
def effective_sample_size(w):
    return len(w) / (1 + w.var() / w.mean() ** 2)
