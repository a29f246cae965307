"""All sines first, all cosines after them, as in fairseq and tensor2tensor.

message: all sines before all cosines
"""


def sinusoidal_pe(L, d):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)
    angles = positions[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)
