"""Draws from torch's global generator."""


def is_equivariant_report(attn, perm, d_model=8):
    x = torch.randn(4, len(perm), d_model, dtype=torch.float64)
    y, z = attn(x), attn(x[:, perm])
    eps = 1e-9 * y.abs().max()
    return {
        "invariant": not bool(((z - y).abs() > eps).any()),
        "equivariant": not bool(((z - y[:, perm]).abs() > eps).any()),
    }
