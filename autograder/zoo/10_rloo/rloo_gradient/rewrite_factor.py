"""K / (K - 1) times the centred rewards; the - pi cancels, as advantages sum to zero."""


def rloo_gradient(theta, y, R, ref, beta):
    logp = theta.detach().log_softmax(0)
    r = (R - beta * (logp - ref.log()))[y]
    advantages = (r - r.mean()) / (len(y) - 1)
    return torch.zeros_like(theta).index_add(0, y, advantages)
