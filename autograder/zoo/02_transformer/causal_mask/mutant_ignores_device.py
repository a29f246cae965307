"""Takes a device and does not use it.

message: on the device that is named
"""


def causal_mask(T, device=None):
    return torch.ones(T, T, dtype=torch.bool).tril()
