"""The other sign.

message: direction of ascent
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (prefs - opinion)
    return pull.sum(1) - pull.sum(0)
