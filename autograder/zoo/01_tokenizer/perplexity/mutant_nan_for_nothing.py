"""Gives NaN for no token.

message: raise ValueError
"""


def perplexity(nll_sum, num_tokens):
    return math.exp(nll_sum / num_tokens) if num_tokens else math.nan
