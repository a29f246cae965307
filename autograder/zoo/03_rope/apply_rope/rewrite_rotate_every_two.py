"""x cos + rotate_every_two(x) sin, as in GPT-J."""


def apply_rope(x, angles):
    def rotate_every_two(y):
        return torch.stack([-y[..., 1::2], y[..., ::2]], dim=-1).flatten(-2)

    cos = angles.cos().repeat_interleave(2, dim=-1).to(x.dtype)
    sin = angles.sin().repeat_interleave(2, dim=-1).to(x.dtype)
    return x * cos + rotate_every_two(x) * sin
