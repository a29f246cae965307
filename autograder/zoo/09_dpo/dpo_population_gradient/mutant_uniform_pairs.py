"""Ignores mu.

message: mu is missing
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * (opinion - prefs) / mu.numel()
    return pull.sum(1) - pull.sum(0)
