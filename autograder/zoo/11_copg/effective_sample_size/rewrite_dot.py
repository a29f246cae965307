"""A dot product."""
def effective_sample_size(w):
    return w.sum() * w.sum() / torch.dot(w, w)
