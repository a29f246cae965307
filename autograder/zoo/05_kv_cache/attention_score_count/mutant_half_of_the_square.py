"""Halves the full squares for the causal count.

message: half of the full squares
"""


def attention_score_count(T, use_cache, causal_only=False):
    if use_cache:
        return T * (T + 1) // 2
    full = T * (T + 1) * (2 * T + 1) // 6
    return full // 2 if causal_only else full
