"""Takes the angles for degrees.

message: radians
"""


def apply_rope(x, angles):
    angles = torch.deg2rad(angles)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
