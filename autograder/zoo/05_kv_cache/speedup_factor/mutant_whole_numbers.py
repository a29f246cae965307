"""Integer division.

message: do not round
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return (2 * T + 1) // 3
    if kind == "scores_causal":
        return (T + 2) // 3
    if kind == "projections":
        return (T + 1) // 2
    raise ValueError(kind)
