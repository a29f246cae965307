"""No baseline: unbiased, but not RLOO.

message: used no baseline
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)
    return r @ scores / K
