"""Multiplication by unit complex numbers, as in Meta's Llama."""


def apply_rope(x: Tensor, angles: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.double().reshape(*x.shape[:-1], -1, 2))
    unit = torch.polar(torch.ones_like(angles), angles)
    return torch.view_as_real(pairs * unit).flatten(-2).type_as(x)
