"""One loop with a case per step."""


def attention_score_count(T, use_cache, causal_only=False):
    total = 0
    for t in range(1, T + 1):
        queries = [t] if use_cache or not causal_only else None
        if queries is None:
            total += (t * t + t) // 2
        else:
            total += t if use_cache else t * t
    return total
