"""Never looks at causal_only.

message: makes no difference
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T * (T + 1) // 2
    return T * (T + 1) * (2 * T + 1) // 6
