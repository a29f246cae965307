"""Thinks that the first step needs no attention.

message: the sum of t
"""


def speedup_factor(T, kind):
    steps = range(2, T + 1)
    if kind == "scores_full":
        return sum(t * t for t in steps) / sum(steps)
    if kind == "scores_causal":
        return sum(t * (t + 1) / 2 for t in steps) / sum(steps)
    if kind == "projections":
        return sum(steps) / len(steps)
    raise ValueError(kind)
