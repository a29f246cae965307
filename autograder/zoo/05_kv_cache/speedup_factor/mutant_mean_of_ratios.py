"""Averages the gains of the steps.

message: mean of the gains
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return sum(t * t / t for t in range(1, T + 1)) / T
    if kind == "scores_causal":
        return sum((t + 1) / 2 for t in range(1, T + 1)) / T
    if kind == "projections":
        return (T + 1) / 2
    raise ValueError(kind)
