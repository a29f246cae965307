"""Consistently in bits."""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError
    bits = nll_sum / math.log(2)
    return 2.0 ** (bits / num_tokens)
