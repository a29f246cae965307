"""The reference probabilities without their logarithm.

message: take their logarithms
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (ref_w - ref_l + (reward_w - reward_l) / beta).tree
