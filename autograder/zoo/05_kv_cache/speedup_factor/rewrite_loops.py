"""Sums over the steps."""


def speedup_factor(T, kind):
    if kind not in {"scores_full", "scores_causal", "projections"}:
        raise ValueError(f"{kind} is none of the three kinds")
    without = with_cache = 0
    for t in range(1, T + 1):
        without += {"scores_full": t**2, "scores_causal": t * (t + 1) / 2, "projections": t}[kind]
        with_cache += 1 if kind == "projections" else t
    return without / with_cache
