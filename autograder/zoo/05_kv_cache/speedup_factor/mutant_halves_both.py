"""Halves the cached row, too, so that the causal factor equals the full one.

message: do not halve it
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return (2 * T + 1) / 3
    if kind == "scores_causal":
        return (2 * T + 1) / 3
    if kind == "projections":
        return (T + 1) / 2
    raise ValueError(kind)
