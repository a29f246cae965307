"""The nested list by hand, four logarithms and quotients."""


def optimal_log_odds():
    return [
        "add",
        ["log", "ref_w"],
        ["neg", ["log", "ref_l"]],
        ["div", "reward_w", "beta"],
        ["neg", ["div", "reward_l", "beta"]],
    ]
