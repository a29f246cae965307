"""Clamps the gap at 50.

message: clamp nothing
"""


def dpo_population_gradient(theta, prefs, mu, ref, beta):
    h = (theta - ref.log())
    d = (h[:, None] - h[None]).clamp(-50, 50)
    g = beta * mu * (torch.sigmoid(beta * d) - prefs)
    return g.sum(1) - g.sum(0)
