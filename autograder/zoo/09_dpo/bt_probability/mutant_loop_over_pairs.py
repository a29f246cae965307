"""A loop over the first dimension: pairs only, no tables.

message: return the whole table
"""


def bt_probability(r_w, r_l):
    return torch.stack([torch.sigmoid(a - b) for a, b in zip(r_w, r_l)])
