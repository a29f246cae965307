"""The reward difference over beta, and the reference times beta.

message: not the reference
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (beta * log(ref_w / ref_l) + (reward_w - reward_l) / beta).tree
