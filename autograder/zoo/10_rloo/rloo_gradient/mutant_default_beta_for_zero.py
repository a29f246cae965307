"""Writes beta or 0.1, so that a beta of 0 becomes 0.1.

message: beta = 0
"""


def rloo_gradient(theta, y, R, ref, beta):
    beta = beta or 0.1
    p = theta.detach().log_softmax(-1)
    r = (R - beta * (p - ref.log()))[y]
    a = r - (r.sum() - r) / (len(r) - 1)
    return (a[:, None] * (torch.eye(len(theta), dtype=theta.dtype)[y] - p.exp())).mean(0)
