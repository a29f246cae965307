"""Drops the batch if it is a single one.

message: axes of size 1 too
"""


def apply_rope(x, angles):
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    y = torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
    return y[0] if y.ndim == 4 and y.shape[0] == 1 else y
