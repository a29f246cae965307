"""range(1, T) leaves out the last step.

message: one step early
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return sum(range(1, T))
    return sum(t * (t + 1) // 2 if causal_only else t * t for t in range(1, T))
