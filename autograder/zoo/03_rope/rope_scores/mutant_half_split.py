"""A rotation of its own in the half-split layout.

message: half-split layout
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    def turn(x, pos):
        angles = pos[..., None] * rope_angles(2, x.shape[-1], base)[1]
        first, second = x.chunk(2, dim=-1)
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)

    return turn(q, pos_q) @ turn(k, pos_k).transpose(-2, -1)
