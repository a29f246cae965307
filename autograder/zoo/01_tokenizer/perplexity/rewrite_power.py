"""e to the power."""


def perplexity(nll_sum, num_tokens):
    try:
        mean = nll_sum / num_tokens
    except ZeroDivisionError:
        raise ValueError("no token, no perplexity") from None
    if num_tokens < 0:
        raise ValueError("a negative number of tokens")
    return math.e**mean
