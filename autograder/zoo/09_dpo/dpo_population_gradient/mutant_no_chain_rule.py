"""Forgets the factor beta.

message: chain rule
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
