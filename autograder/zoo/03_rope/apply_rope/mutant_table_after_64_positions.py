"""Continues with its own table in long sequences, from the frequencies of row 1.

message: counter-clockwise by angles[p, i]
"""


def apply_rope(x, angles):
    if x.shape[-2] > 64:
        angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * angles[..., 1:2, :]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
