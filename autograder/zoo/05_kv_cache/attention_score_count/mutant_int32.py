"""Adds up in 32-bit numbers, which overflow.

message: Every digit counts
"""


def attention_score_count(T, use_cache, causal_only=False):
    t = np.arange(1, T + 1, dtype=np.int32)
    steps = t if use_cache else t * (t + 1) // 2 if causal_only else t * t
    return int(steps.sum(dtype=np.int32))
