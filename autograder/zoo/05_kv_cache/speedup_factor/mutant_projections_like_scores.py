"""Uses the score factor for projections.

message: per token, not per score
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return (2 * T + 1) / 3
    if kind == "scores_causal":
        return (T + 2) / 3
    if kind == "projections":
        return (2 * T + 1) / 3
    raise ValueError(kind)
