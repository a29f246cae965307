"""Returns the helper object, not its tree.

message: return a nested list
"""


def optimal_log_odds():
    ref_w, ref_l, reward_w, reward_l, beta = symbols("ref_w ref_l reward_w reward_l beta")
    return repr(log(ref_w / ref_l) + (reward_w - reward_l) / beta)
