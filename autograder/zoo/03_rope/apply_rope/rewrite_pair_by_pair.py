"""A loop over the pairs that fills a tensor of its own."""


def apply_rope(x, angles):
    out = torch.zeros_like(x)
    for i in range(x.shape[-1] // 2):
        c = angles[..., i].cos().to(x.dtype)
        s = angles[..., i].sin().to(x.dtype)
        out[..., 2 * i] = x[..., 2 * i] * c - x[..., 2 * i + 1] * s
        out[..., 2 * i + 1] = x[..., 2 * i] * s + x[..., 2 * i + 1] * c
    return out
