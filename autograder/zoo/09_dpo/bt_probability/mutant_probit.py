"""Thurstone's law in place of Bradley and Terry's.

message: Thurstone's law
"""


def bt_probability(r_w, r_l):
    return torch.special.ndtr(r_w - r_l)
