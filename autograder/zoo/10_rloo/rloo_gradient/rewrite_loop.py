"""Sample by sample."""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.detach().log_softmax(0)
    pi = logp.exp()
    r = (R - beta * (logp - ref.log()))[y]
    scores = torch.eye(len(pi), dtype=pi.dtype)[y] - pi
    K = len(y)

    total = torch.zeros_like(theta)
    for i in range(K):
        others = torch.cat([r[:i], r[i + 1 :]]).mean()
        total = total + (r[i] - others) * scores[i]
    return total / K
