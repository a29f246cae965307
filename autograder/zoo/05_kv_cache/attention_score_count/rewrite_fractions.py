"""Exact fractions, converted at the end."""


def attention_score_count(T, use_cache, causal_only=False):
    T = Fraction(T)
    pairs = T * (T + 1) / 2
    squares = pairs * (2 * T + 1) / 3
    if use_cache:
        return int(pairs)
    return int((squares + pairs) / 2) if causal_only else int(squares)
