"""Compares in float32.

message: 1e-9 times the largest absolute entry
"""


def is_equivariant_report(attn, perm, d_model=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, len(perm), d_model, dtype=torch.float64, generator=generator)
    straight, permuted = attn(x).float(), attn(x[:, perm]).float()

    def same(a, b):
        return bool((a - b).abs().max() <= 1e-9 * straight.abs().max())

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
