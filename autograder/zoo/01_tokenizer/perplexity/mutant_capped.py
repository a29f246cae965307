"""Caps the perplexity at 1e5.

message: Perplexity is exp
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return min(math.exp(nll_sum / num_tokens), 1e5)
