"""Forgets the penalty.

message: KL penalty is missing
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)

    r = R[y]
    return (r - (r.sum() - r) / (K - 1)) @ scores / K
