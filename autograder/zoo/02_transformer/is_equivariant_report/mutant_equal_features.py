"""Draws one number per token.

message: Draw every entry
"""


def is_equivariant_report(attn, perm, d_model=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, len(perm), 1, dtype=torch.float64, generator=generator)
    x = x.expand(-1, -1, d_model)
    straight, permuted = attn(x), attn(x[:, perm])

    def same(a, b):
        return bool((a - b).abs().max() <= 1e-9 * straight.abs().max())

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
