"""Each frequency is the one before times a constant ratio."""


def rope_angles(L, d_head, base=10_000.0):
    ratio = base ** (-2 / d_head)
    frequencies = [1.0]
    while len(frequencies) < d_head // 2:
        frequencies.append(frequencies[-1] * ratio)
    frequencies = torch.tensor(frequencies, dtype=torch.float64)
    return torch.einsum("p,i->pi", torch.arange(L, dtype=torch.float64), frequencies)
