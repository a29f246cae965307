"""The expected R_beta as baseline: unbiased, but not leave-one-out.

message: repeats included
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)

    b = (pi * (R - beta * (logp - ref.log()))).sum()
    return (r - b) @ scores / K
