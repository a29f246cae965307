"""The formula with one exponential of the difference."""


def bt_probability(r_w, r_l):
    return 1 / (1 + torch.exp(r_l - r_w))
