"""N / (1 + cv^2) with the population variance."""
def effective_sample_size(w):
    return len(w) / (1 + w.var(correction=0) / w.mean() ** 2)
