"""Writes Z into the formula.

message: there is no Z
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta, z = symbols("ref_w ref_l reward_w reward_l beta Z")
    w = ref_w * exp(reward_w / beta) / z
    l = ref_l * exp(reward_l / beta) / z
    return log(w / l).tree
