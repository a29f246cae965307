"""Divides by the population standard deviation.

message: biased
"""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)

    return ((r - r.mean()) / r.std(correction=0)).nan_to_num() @ scores / K
