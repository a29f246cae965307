"""Multiplies the rewards by beta.

message: Divide the rewards by beta
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (log(ref_w / ref_l) + beta * (reward_w - reward_l)).tree
