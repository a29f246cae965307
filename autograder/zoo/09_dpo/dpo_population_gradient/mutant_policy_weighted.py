"""Multiplies by pi, as if the softmax's Jacobian were diagonal.

message: plus at i, minus at j
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - prefs)
    return theta.softmax(-1) * (pull.sum(1) - pull.sum(0))
