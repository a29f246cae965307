"""Takes the angles of the first row of the batch for all.

message: by the angles of the first
"""


def apply_rope(x, angles):
    angles = angles if angles.ndim == 2 else angles[0, 0]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
