"""Adds a sinusoidal position to queries and keys.

message: you added sinusoids
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    def add(x, pos):
        angles = pos[..., None] * rope_angles(2, x.shape[-1], base)[1]
        return x + torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(x.dtype)

    return add(q, pos_q) @ add(k, pos_k).transpose(-2, -1)
