"""Takes theta for probabilities.

message: with the reference
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.softmax(-1) - ref_probs
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
