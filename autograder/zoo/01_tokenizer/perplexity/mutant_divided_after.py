"""Divides after the exponential.

message: before the exponential
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return math.exp(min(nll_sum, 700.0)) / num_tokens
