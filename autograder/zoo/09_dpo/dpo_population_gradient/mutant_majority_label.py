"""Rounds the label probabilities.

message: compare sigma(beta * gap of h)
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - (prefs > 0.5).double())
    pull.fill_diagonal_(0)
    return pull.sum(1) - pull.sum(0)
