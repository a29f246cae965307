"""Forgets beta.

message: beta is missing
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l = symbols("ref_w ref_l reward_w reward_l")
    return (log(ref_w / ref_l) + reward_w - reward_l).tree
