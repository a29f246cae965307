"""Returns the mean NLL.

message: returned the mean NLL
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return nll_sum / num_tokens
