"""Writes into a clone and reads the overwritten column.

message: old first
"""


def apply_rope(x, angles):
    out = x.clone()
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    out[..., 0::2] = out[..., 0::2] * cos - out[..., 1::2] * sin
    out[..., 1::2] = out[..., 0::2] * sin + out[..., 1::2] * cos
    return out
