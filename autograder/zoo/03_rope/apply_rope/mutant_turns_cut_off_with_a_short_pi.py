"""Takes off full turns of 6.283185307.

message: cosine and sine of the float64 angles
"""


def apply_rope(x, angles):
    angles = angles % 6.283185307
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
