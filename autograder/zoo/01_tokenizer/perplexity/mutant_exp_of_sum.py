"""Forgets to divide.

message: divide by the number of tokens
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return math.exp(min(nll_sum, 700.0))
