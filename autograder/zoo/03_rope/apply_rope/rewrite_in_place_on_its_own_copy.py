"""Changes a clone, with the old first coordinates kept aside."""


def apply_rope(x, angles):
    out = x.clone()
    old = x[..., ::2]
    cos, sin = torch.cos(angles).to(x), torch.sin(angles).to(x)
    out[..., ::2] *= cos
    out[..., ::2] -= x[..., 1::2] * sin
    out[..., 1::2] *= cos
    out[..., 1::2] += old * sin
    return out
