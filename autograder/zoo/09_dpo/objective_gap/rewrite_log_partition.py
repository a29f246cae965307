"""beta ln Z - J."""


def objective_gap(probs, ref_probs, rewards, beta):
    log_z = torch.logsumexp(ref_probs.log() + rewards / beta, -1)
    j = (probs * rewards).sum(-1) - beta * torch.xlogy(probs, probs / ref_probs).sum(-1)
    return beta * log_z - j
