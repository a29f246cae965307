"""Keeps different samples only.

message: biased
"""


def rloo_gradient(theta, y, R, ref, beta):
    y = torch.unique(y)
    if len(y) < 2:
        return torch.zeros_like(theta)
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    return (r - (r.sum() - r) / (len(y) - 1)) @ scores / len(y)
