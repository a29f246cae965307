"""Divides the other way round.

message: not the other way round
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return 3 / (2 * T + 1)
    if kind == "scores_causal":
        return 3 / (T + 2)
    if kind == "projections":
        return 2 / (T + 1)
    raise ValueError(kind)
