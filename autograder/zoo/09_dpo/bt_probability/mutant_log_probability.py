"""Returns the logarithm of the probability.

message: logarithm of the probability
"""


def bt_probability(r_w, r_l):
    return F.logsigmoid(r_w - r_l)
