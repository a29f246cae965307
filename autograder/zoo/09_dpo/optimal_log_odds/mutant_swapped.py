"""The odds of the rejected completion.

message: swapped the two completions
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return (log(ref_l / ref_w) + (reward_l - reward_w) / beta).tree
