"""A buffer of 1024 tokens.

message: nothing is fixed
"""


def causal_mask(T, device=None):
    return torch.ones(1024, 1024, dtype=torch.bool, device=device).tril()[:T, :T]
