"""Pads the formula with a hundred zeros.

message: at most 100 parts
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return ["add", (log(ref_w / ref_l) + (reward_w - reward_l) / beta).tree, *[0] * 100]
