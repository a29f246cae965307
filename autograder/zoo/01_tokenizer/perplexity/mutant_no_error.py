"""Lets the division by zero happen.

message: raise ValueError
"""


def perplexity(nll_sum, num_tokens):
    return math.exp(nll_sum / num_tokens)
