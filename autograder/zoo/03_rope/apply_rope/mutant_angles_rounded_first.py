"""Rounds the angles to the dtype of x before the cosine.

message: round them afterwards
"""


def apply_rope(x, angles):
    cos, sin = angles.to(x.dtype).cos(), angles.to(x.dtype).sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
