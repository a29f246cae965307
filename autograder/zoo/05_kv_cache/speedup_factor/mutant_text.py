"""Returns text.

message: float or a Fraction
"""


def speedup_factor(T, kind):
    if kind == "scores_full":
        return str((2 * T + 1) / 3)
    if kind == "scores_causal":
        return str((T + 2) / 3)
    if kind == "projections":
        return str((T + 1) / 2)
    raise ValueError(kind)
