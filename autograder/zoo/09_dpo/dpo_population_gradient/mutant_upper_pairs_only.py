"""Assumes a symmetric mu and doubles the upper triangle.

message: Sum mu_ij * beta
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = 2 * (beta * mu * (opinion - prefs)).triu(1)
    return pull.sum(1) - pull.sum(0)
