"""Takes axis 1 for the positions, as if x were [batch, L, heads, d_head].

message: follow the heads
"""


def apply_rope(x, angles):
    angles = angles if x.ndim < 4 or angles.ndim > 2 else angles[: x.shape[1], None, :]
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    first = even * cos - odd * sin
    second = even * sin + odd * cos
    return torch.stack([first, second], dim=-1).flatten(-2)
