"""Pairs column i with column i + d_head/2, as transformers does.

message: half-split layout
"""


def apply_rope(x, angles):
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x.chunk(2, dim=-1)
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.cat([first, second], dim=-1)
