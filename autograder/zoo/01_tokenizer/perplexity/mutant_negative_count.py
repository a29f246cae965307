"""Accepts a negative number of tokens.

message: negative number of tokens
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens == 0:
        raise ValueError("no tokens")
    return math.exp(nll_sum / num_tokens)
