"""The default dtype of torch.

message: float64
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L)
    frequencies = base ** (-torch.arange(0, d_head, 2) / d_head)
    return positions[:, None] * frequencies
