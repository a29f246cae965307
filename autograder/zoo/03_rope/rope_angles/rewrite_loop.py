"""One number at a time."""


def rope_angles(L, d_head, base=10_000.0):
    angles = torch.zeros(L, d_head // 2, dtype=torch.float64)
    for p in range(L):
        for i in range(d_head // 2):
            angles[p, i] = p / base ** (2 * i / d_head)
    return angles
