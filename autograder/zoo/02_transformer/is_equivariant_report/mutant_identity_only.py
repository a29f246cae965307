"""Tests the identity.

message: Both statements came out true
"""


def is_equivariant_report(attn, perm, d_model=8):
    perm = torch.arange(len(perm))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, len(perm), d_model, dtype=torch.float64, generator=generator)
    straight, permuted = attn(x), attn(x[:, perm])
    tolerance = 1e-9 * straight.abs().max()

    def same(a, b):
        return bool((a - b).abs().max() <= tolerance)

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
