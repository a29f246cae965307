"""Takes the rewards for the strengths p = e^r.

message: not strengths
"""


def bt_probability(r_w, r_l):
    return r_w / (r_w + r_l)
