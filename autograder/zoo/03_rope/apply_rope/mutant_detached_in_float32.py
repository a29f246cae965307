"""Loses the graph where the dtype is changed.

message: Gradients must reach x, in every dtype
"""


def apply_rope(x, angles):
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2].double(), x[..., 1::2].double()
    out = torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
    if x.dtype == torch.float64:
        return out
    return out.detach().to(x.dtype).requires_grad_(x.requires_grad)
