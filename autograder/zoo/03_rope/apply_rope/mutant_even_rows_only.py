"""Works in place on a strided view and forgets the odd rows.

message: counter-clockwise
"""


def apply_rope(x, angles):
    angles = angles * (torch.arange(x.shape[-2]) % 2 == 0)[:, None]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
