"""The limits, with T = 1 as a special case.

message: only the limit
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return 1.0 if T == 1 else 2 * T / 3
    if kind == "scores_causal":
        return 1.0 if T == 1 else T / 3
    if kind == "projections":
        return 1.0 if T == 1 else T / 2
    raise ValueError(kind)
