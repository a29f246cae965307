"""Right in four dimensions, clockwise for a single sequence.

message: clockwise
"""


def apply_rope(x, angles):
    angles = angles if x.ndim == 4 else -angles
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
