"""h = ln pi.

message: The reference is missing
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1)
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
