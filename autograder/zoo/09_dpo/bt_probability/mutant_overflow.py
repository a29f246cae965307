"""Exponentiates the rewards themselves.

message: Exponentials of large rewards
"""


def bt_probability(r_w, r_l):
    return r_w.exp() / (r_w.exp() + r_l.exp())
