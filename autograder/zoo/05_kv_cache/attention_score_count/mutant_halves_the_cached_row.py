"""Halves the cached row under causal_only.

message: whether or not causal_only
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return sum(t // 2 + 1 if causal_only else t for t in range(1, T + 1))
    return sum(t * (t + 1) // 2 if causal_only else t * t for t in range(1, T + 1))
