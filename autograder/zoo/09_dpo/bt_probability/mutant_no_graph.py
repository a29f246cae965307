"""Right values, but detached.

message: No gradient
"""


def bt_probability(r_w, r_l):
    return torch.sigmoid((r_w - r_l).detach())
