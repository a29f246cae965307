"""Counts positions in float16, which is exact up to 2048.

message: nothing is fixed
"""


def causal_mask(T, device=None):
    position = torch.arange(T, device=device).half()
    return position[None, :] <= position[:, None]
