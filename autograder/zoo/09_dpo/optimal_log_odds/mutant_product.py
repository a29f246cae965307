"""Multiplies the two parts: each is zero where the other should stand alone.

message: With equal rewards
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (log(ref_w / ref_l) * (reward_w - reward_l) / beta).tree
