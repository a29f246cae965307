"""The logarithm of the quotient of the two weights."""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return log((ref_w * exp(reward_w / beta)) / (ref_l * exp(reward_l / beta))).tree
