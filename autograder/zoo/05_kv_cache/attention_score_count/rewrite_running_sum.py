"""Keeps the causal half as a running sum; torch int64 for the rest."""


def attention_score_count(T, use_cache, causal_only=False):
    t = torch.arange(1, T + 1)
    if use_cache:
        return int(t.sum())
    if causal_only:
        return int(t.cumsum(0).sum())
    return int((t * t).sum())
