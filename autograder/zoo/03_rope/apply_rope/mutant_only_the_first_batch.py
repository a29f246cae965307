"""Turns the first element of the batch only.

message: counter-clockwise
"""


def apply_rope(x, angles):
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2) if x.ndim < 4 else torch.cat([torch.stack([first, second], dim=-1).flatten(-2)[:1], x[1:]])
