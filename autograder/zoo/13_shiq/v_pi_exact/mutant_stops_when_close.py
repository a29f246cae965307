"""Stops as soon as torch.allclose sees no change.

message: until nothing changes
"""


def v_pi_exact(tree, pi):
    v = torch.zeros(len(pi), dtype=torch.float64)
    while True:
        after = torch.where(tree["done"], 0.0, v[tree["next_state"]])
        new = (pi * (tree["reward"] + after)).sum(1)
        if torch.allclose(new, v):
            return new
        v = new
