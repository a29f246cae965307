"""Returns double precision whatever it is given.

message: dtype of the rewards
"""


def bt_probability(r_w, r_l):
    return torch.sigmoid(r_w.double() - r_l.double())
