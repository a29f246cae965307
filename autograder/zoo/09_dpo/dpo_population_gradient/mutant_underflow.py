"""log(softmax(theta)).

message: use log_softmax
"""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    h = torch.softmax(theta, -1).log() - ref_probs.log()
    opinion = torch.sigmoid(beta * (h[:, None] - h[None, :]))
    pull = beta * mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
