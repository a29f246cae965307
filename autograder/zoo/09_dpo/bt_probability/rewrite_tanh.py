"""The logistic function by the hyperbolic tangent."""


def bt_probability(r_w, r_l):
    return 0.5 * (1 + torch.tanh(0.5 * (r_w - r_l)))
