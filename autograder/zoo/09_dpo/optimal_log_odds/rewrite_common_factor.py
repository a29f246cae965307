"""Everything over beta, as tuples."""


def optimal_log_odds():
    return (
        "div",
        ("sub", ("add", "reward_w", ("mul", "beta", ("log", "ref_w"))),
                ("add", "reward_l", ("mul", "beta", ("log", "ref_l")))),
        "beta",
    )
