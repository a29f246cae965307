"""Adds one operation per projected token.

message: includes the projections
"""


def attention_score_count(T, use_cache, causal_only=False):
    total = 0
    for t in range(1, T + 1):
        rows = 1 if use_cache else t
        scores = t if use_cache else t * (t + 1) // 2 if causal_only else t * t
        total += scores + rows
    return total
