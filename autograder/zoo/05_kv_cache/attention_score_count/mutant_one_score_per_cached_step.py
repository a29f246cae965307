"""Believes that a cached step costs one score.

message: one score per step
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T
    return sum(t * (t + 1) // 2 if causal_only else t * t for t in range(1, T + 1))
