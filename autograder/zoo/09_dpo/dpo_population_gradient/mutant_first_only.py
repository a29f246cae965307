"""Forgets that the second completion moves as well.

message: left out the second completion
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    return (beta * mu * (opinion - prefs)).sum(1)
