"""Claims that there is no bias.

message: claim that the estimate is unbiased
"""


def grpo_bias(probs, A, G):
    return torch.ones_like(probs), torch.tensor(1.0, dtype=probs.dtype)
