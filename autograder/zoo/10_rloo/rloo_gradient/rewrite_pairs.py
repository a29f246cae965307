"""Half the mean over pairs of difference times difference."""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.detach().log_softmax(0)
    r = (R - beta * (logp - ref.log()))[y]
    one_hot = torch.eye(len(theta), dtype=theta.dtype)[y]
    K = len(y)
    total = torch.zeros_like(theta)
    for i in range(K):
        for j in range(i):
            total += (r[i] - r[j]) * (one_hot[i] - one_hot[j])
    return total / (K * (K - 1))
