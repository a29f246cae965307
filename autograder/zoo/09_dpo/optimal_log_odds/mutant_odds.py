"""Odds without the logarithm.

message: take the logarithm
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (ref_w / ref_l * exp((reward_w - reward_l) / beta)).tree
