"""In log space."""
def effective_sample_size(w):
    log_w = w.log()
    return torch.exp(2 * torch.logsumexp(log_w, 0) - torch.logsumexp(2 * log_w, 0))
