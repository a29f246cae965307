"""Returns a float.

message: an int
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T * (T + 1) / 2
    if causal_only:
        return T * (T + 1) * (T + 2) / 6
    return T * (T + 1) * (2 * T + 1) / 6
