"""In another order, with masked_fill and narrow."""
def td_errors(r, v, done, gamma):
    T = r.shape[1]
    ahead = v.narrow(1, 1, T).masked_fill(done, 0.0)
    return torch.add(r - v.narrow(1, 0, T), ahead, alpha=gamma)
