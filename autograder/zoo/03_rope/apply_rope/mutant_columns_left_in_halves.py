"""Turns neighbouring pairs, then concatenates instead of interleaving.

message: come out in halves
"""


def apply_rope(x, angles):
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.cat([first, second], dim=-1)
