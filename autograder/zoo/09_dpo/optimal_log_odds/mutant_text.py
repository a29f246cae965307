"""Returns text.

message: return a nested list
"""


def optimal_log_odds():
    return "ln(ref_w / ref_l) + (reward_w - reward_l) / beta"
