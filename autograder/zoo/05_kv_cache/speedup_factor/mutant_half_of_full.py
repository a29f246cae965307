"""Takes half of the full factor for the causal one.

message: more than half of the square
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return (2 * T + 1) / 3
    if kind == "scores_causal":
        return (2 * T + 1) / 6
    if kind == "projections":
        return (T + 1) / 2
    raise ValueError(kind)
