"""Tests the beginning of the kind only.

message: raises ValueError
"""


def speedup_factor(T, kind):
    if kind.startswith("scores"):
        return (T + 2) / 3 if "causal" in kind else (2 * T + 1) / 3
    if kind == "projections":
        return (T + 1) / 2
    raise ValueError(kind)
