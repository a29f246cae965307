"""Takes the largest entry with its sign as the scale.

message: 1e-9 times the largest absolute entry
"""


def is_equivariant_report(attn, perm, d_model=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, len(perm), d_model, dtype=torch.float64, generator=generator)
    straight, permuted = attn(x), attn(x[:, perm])

    def same(a, b):
        return bool((a - b).abs().max() <= 1e-9 * straight.max())

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
