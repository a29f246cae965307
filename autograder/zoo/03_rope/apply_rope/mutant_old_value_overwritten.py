"""Computes the second coordinate from the new first one.

message: old first
"""


def apply_rope(x, angles):
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = first * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
