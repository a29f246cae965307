"""Exchanges full and causal.

message: factor of the causal halves
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return (T + 2) / 3
    if kind == "scores_causal":
        return (2 * T + 1) / 3
    if kind == "projections":
        return (T + 1) / 2
    raise ValueError(kind)
