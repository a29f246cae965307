"""The cosine where the sine belongs: turns by a quarter turn minus the angle.

message: counter-clockwise
"""


def apply_rope(x, angles):
    sin, cos = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
