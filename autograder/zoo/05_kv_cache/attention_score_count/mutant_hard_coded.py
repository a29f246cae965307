"""Knows the visible cases.

message: add up t = 1
"""


def attention_score_count(T, use_cache, causal_only=False):
    if T == 1:
        return 1
    return 10 if use_cache else 20 if causal_only else 30
