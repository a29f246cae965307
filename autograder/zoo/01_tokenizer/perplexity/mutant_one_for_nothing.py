"""Gives 1 for no token.

message: raise ValueError
"""


def perplexity(nll_sum, num_tokens):
    return math.exp(nll_sum / max(num_tokens, 1))
