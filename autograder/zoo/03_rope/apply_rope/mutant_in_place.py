"""Writes the result into x.

message: in place
"""


def apply_rope(x, angles):
    turned = torch.view_as_complex(x.detach().double().unflatten(-1, (-1, 2)).contiguous())
    turned = torch.view_as_real(turned * torch.exp(1j * angles)).flatten(-2)
    x.data.copy_(turned)
    return x
