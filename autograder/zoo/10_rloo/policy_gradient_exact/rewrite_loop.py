"""Outcome by outcome."""


def policy_gradient_exact(theta, R, ref, beta):
    logp = theta.detach().log_softmax(0)
    pi = logp.exp()

    total = torch.zeros_like(theta)
    for y in range(len(theta)):
        score = -pi.clone()
        score[y] += 1
        total += pi[y] * (R[y] - beta * (logp[y] - ref[y].log())) * score
    return total
