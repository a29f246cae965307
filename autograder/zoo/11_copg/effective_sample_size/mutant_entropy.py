"""The exponential of the entropy: another effective number.

message: ESS
"""
def effective_sample_size(w):
    p = w / w.sum()
    return torch.exp(-(torch.xlogy(p, p)).sum())
