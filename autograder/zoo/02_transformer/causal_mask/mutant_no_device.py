"""Takes no device.

message: Your code raised TypeError
"""


def causal_mask(T):
    return torch.ones(T, T, dtype=torch.bool).tril()
