"""Takes angles with three dimensions for [batch, L, d_head/2] and adds an axis of heads.

message: broadcast against those of x, whatever
"""


def apply_rope(x, angles):
    if angles.ndim == 3:
        angles = angles[:, None]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
