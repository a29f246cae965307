"""Assumes that all heads share their angles.

message: angles of the first row or head
"""


def apply_rope(x, angles):
    if angles.ndim > 3:
        angles = angles[:, :1]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
