"""Returns a tensor.

message: Python float
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return torch.tensor(nll_sum / num_tokens, dtype=torch.float64).exp()
