"""All tokens but two are equal.

message: Compare all tokens
"""


def is_equivariant_report(attn, perm, d_model=8):
    x = torch.randn(1, len(perm), d_model, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[:, 2:] = x[:, :1]
    a, b = attn(x), attn(x[:, perm])
    t = 1e-9 * a.abs().max()
    return {"invariant": bool((a - b).abs().max() <= t), "equivariant": bool((a[:, perm] - b).abs().max() <= t)}
