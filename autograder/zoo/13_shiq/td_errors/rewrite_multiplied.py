"""(1 - done) as a factor."""
def td_errors(r, v, done, gamma):
    keep = 1 - done.to(r.dtype)
    return r + gamma * keep * v[:, 1:] - v[:, :-1]
