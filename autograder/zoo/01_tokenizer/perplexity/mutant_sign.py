"""Flips the sign.

message: flipped the sign
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return math.exp(-nll_sum / num_tokens)
