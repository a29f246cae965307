"""Refuses an NLL of 0.

message: raised ValueError
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1 or nll_sum <= 0:
        raise ValueError("no tokens")
    return math.exp(nll_sum / num_tokens)
