"""One sine for all columns: the cosine is a sine a quarter turn ahead."""


def sinusoidal_pe(L, d):
    columns = torch.arange(d)
    frequencies = 10_000.0 ** (-(2 * (columns // 2)).double() / d)
    angles = torch.arange(L, dtype=torch.float64)[:, None] * frequencies
    return torch.sin(angles + (columns % 2).double() * (torch.pi / 2))
