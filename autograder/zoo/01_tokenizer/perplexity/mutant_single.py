"""Single precision.

message: exp(nll_sum / num_tokens)
"""


def perplexity(nll_sum, num_tokens):
    if num_tokens < 1:
        raise ValueError("no tokens")
    return torch.tensor(nll_sum / num_tokens, dtype=torch.float32).exp().item()
