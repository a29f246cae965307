"""Casts back two of the short dtypes only.

message: has the dtype of x
"""


def apply_rope(x, angles):
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    out = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
    return out.to(x.dtype) if x.dtype in (torch.float32, torch.bfloat16) else out
