"""Stops as soon as torch.allclose sees no change.

message: until nothing changes
"""


def evaluate_policy_kl(mdp, pi, ref, beta):
    ratio = torch.special.xlogy(pi, pi) - torch.special.xlogy(pi, ref)
    v = torch.zeros(len(pi), dtype=torch.float64)
    while True:
        after = torch.where(mdp["done"], 0.0, v[mdp["next_state"]])
        new = (pi * (mdp["reward"] + after) - beta * ratio).sum(1)
        if torch.allclose(new, v):
            return new
        v = new
