"""Counts the last step only.

message: one step, the last
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T
    return T * (T + 1) // 2 if causal_only else T * T
