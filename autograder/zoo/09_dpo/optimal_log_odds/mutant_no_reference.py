"""Forgets the reference.

message: The reference is missing
"""


def optimal_log_odds():
    return ["div", ["sub", "reward_w", "reward_l"], "beta"]
