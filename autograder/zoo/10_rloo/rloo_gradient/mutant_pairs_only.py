"""Right for K = 2 (and unbiased, by luck, at K = 3).

message: repeats included
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)
    return (r - r.flip(0)) @ scores / 2
