"""The difference of two objectives."""


def objective_gap(probs, ref_probs, rewards, beta):
    best = torch.softmax(ref_probs.log() + rewards / beta, -1)

    def value(p):
        return (p * rewards).sum(-1) - beta * torch.xlogy(p, p / ref_probs).sum(-1)

    return value(best) - value(probs)
