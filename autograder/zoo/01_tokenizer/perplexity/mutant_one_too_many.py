"""Divides by T + 1.

message: exp(nll_sum / num_tokens)
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return math.exp(nll_sum / (num_tokens + 1))
