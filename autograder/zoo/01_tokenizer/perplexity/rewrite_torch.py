"""With torch, and item()."""


def perplexity(nll_sum, num_tokens):
    if not num_tokens > 0:
        raise ValueError("at least one token")
    return torch.tensor(nll_sum, dtype=torch.float64).div(num_tokens).exp().item()
