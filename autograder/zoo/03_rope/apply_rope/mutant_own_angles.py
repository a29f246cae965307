"""Ignores the angles and makes its own from base 10000.

message: counter-clockwise by angles[p, i]
"""


def apply_rope(x, angles):
    angles = torch.arange(x.shape[-2]).double()[:, None] * 10_000.0 ** (-torch.arange(0, x.shape[-1], 2).double() / x.shape[-1])
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
