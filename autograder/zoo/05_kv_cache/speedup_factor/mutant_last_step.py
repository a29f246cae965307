"""The gain of the last step.

message: the slide's L
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return T
    if kind == "scores_causal":
        return (T + 1) / 2
    if kind == "projections":
        return T
    raise ValueError(kind)
