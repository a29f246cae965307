"""Counts the causal half even when full squares are asked for.

message: causal half
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T * (T + 1) // 2
    return T * (T + 1) * (T + 2) // 6
