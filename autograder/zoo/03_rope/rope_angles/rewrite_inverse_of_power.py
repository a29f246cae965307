"""Divides by the power, like transformers, but in float64."""


def rope_angles(L: int, d_head: int, base: float = 10_000.0) -> Tensor:
    inv_freq = 1.0 / (base ** (torch.arange(0, d_head, 2).double() / d_head))
    return inv_freq[None, :] * torch.arange(L)[:, None]
