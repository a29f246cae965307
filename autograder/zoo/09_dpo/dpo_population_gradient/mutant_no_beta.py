"""sigma of the gap, without beta.

message: beta is missing
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = theta.log_softmax(-1) - ref_probs.log()
    opinion = torch.sigmoid(h[:, None] - h[None, :])
    pull = mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
