"""Reorders the columns, turns the halves, and reorders back."""


def apply_rope(x, angles):
    d = x.shape[-1]
    to_half = torch.cat([torch.arange(0, d, 2), torch.arange(1, d, 2)])
    y = x[..., to_half]
    cos = torch.cat([angles, angles], -1).cos().to(x.dtype)
    sin = torch.cat([angles, angles], -1).sin().to(x.dtype)
    rotated = torch.cat([-y[..., d // 2 :], y[..., : d // 2]], -1)
    return (y * cos + rotated * sin)[..., torch.argsort(to_half)]
