"""Slice by slice."""


def split_heads(x, n_heads):
    d = x.size(-1) // n_heads
    return torch.cat([x[:, None, :, h * d : (h + 1) * d] for h in range(n_heads)], dim=1)
