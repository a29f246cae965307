"""Raises 2 to a power in nats.

message: raised 2
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return 2 ** (nll_sum / num_tokens)
