"""Tests ones.

message: Both statements came out true
"""


def is_equivariant_report(attn, perm, d_model=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.ones(1, len(perm), d_model, dtype=torch.float64)
    straight, permuted = attn(x), attn(x[:, perm])
    tolerance = 1e-9 * straight.abs().max()

    def same(a, b):
        return bool((a - b).abs().max() <= tolerance)

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
