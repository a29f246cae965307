"""Divides by T - 1.

message: one token too few
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return math.exp(nll_sum / max(1, num_tokens - 1))
