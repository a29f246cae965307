"""Closed forms in integers."""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T * (T + 1) // 2
    if causal_only:
        return math.comb(T + 2, 3)
    return T * (T + 1) * (2 * T + 1) // 6
