"""The real and imaginary parts of unit complex numbers, sine first."""


def sinusoidal_pe(L, d):
    exponents = -2 * torch.arange(d // 2).double() / d
    angles = torch.outer(torch.arange(L).double(), 10_000.0**exponents)
    z = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(z).flip(-1).reshape(L, d)
