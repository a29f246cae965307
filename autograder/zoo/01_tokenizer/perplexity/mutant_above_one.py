"""Never returns 1.

message: the perplexity 1
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return max(1.001, math.exp(nll_sum / num_tokens))
