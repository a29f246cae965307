"""Looks the kind up in a dictionary: KeyError.

message: raises ValueError
"""


def speedup_factor(T, kind):
    return {
        "scores_full": (2 * T + 1) / 3,
        "scores_causal": (T + 2) / 3,
        "projections": (T + 1) / 2,
    }[kind]
