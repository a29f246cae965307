"""[L, d_head] with every angle twice, next to each other.

message: [L, d_head/2]
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(L, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return (positions[:, None] * frequencies).repeat_interleave(2, dim=-1)
