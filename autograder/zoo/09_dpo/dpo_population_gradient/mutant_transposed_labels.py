"""Reads prefs by columns.

message: the probability that i wins
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - prefs.T)
    return pull.sum(1) - pull.sum(0)
