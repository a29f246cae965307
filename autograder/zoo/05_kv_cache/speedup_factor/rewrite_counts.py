"""Divides two counts."""


def speedup_factor(T, kind):
    cached = attention_score_count(T, True)
    if kind == "scores_full":
        return attention_score_count(T, False) / cached
    if kind == "scores_causal":
        return Fraction(attention_score_count(T, False, True), cached)
    if kind == "projections":
        return cached / T
    raise ValueError("no such kind")
