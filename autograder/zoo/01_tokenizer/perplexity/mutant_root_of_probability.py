"""Takes exp of the sum first, which underflows.

message: exp(nll_sum / num_tokens)
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return math.exp(-nll_sum) ** (-1 / num_tokens) if nll_sum < 700 else math.inf
