"""A 2 x 2 matrix for every position and pair."""


def apply_rope(x, angles):
    cos, sin = angles.cos(), angles.sin()
    matrices = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    pairs = x.double().unflatten(-1, (-1, 2))[..., None]
    return (matrices @ pairs)[..., 0].flatten(-2).to(x.dtype)
