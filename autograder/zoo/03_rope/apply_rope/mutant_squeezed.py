"""Squeezes the axes of length 1 of the angles: wrong for one row each.

message: follow the heads
"""


def apply_rope(x, angles):
    angles = angles.squeeze()
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
