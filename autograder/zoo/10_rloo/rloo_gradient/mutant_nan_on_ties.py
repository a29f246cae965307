"""Divides by the group's spread, which may be zero.

message: biased
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)

    spread = r.max() - r.min()
    return (r - (r.sum() - r) / (K - 1)) / spread @ scores / K
