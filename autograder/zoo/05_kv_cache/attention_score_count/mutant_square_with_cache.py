"""Counts T squared with the cache.

message: full square
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T**2
    return sum(t * (t + 1) // 2 if causal_only else t * t for t in range(1, T + 1))
