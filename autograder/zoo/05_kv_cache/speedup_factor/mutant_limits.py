"""Drops the constants.

message: only the limit
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return 2 * T / 3
    if kind == "scores_causal":
        return T / 3
    if kind == "projections":
        return T / 2
    raise ValueError(kind)
