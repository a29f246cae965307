"""Subtracts in the other order.

message: the other completion wins
"""


def bt_probability(r_w, r_l):
    return torch.sigmoid(r_l - r_w)
