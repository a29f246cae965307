"""Both orders go through the layer as one batch."""


def is_equivariant_report(attn, perm, d_model=8):
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(1, len(perm), d_model, dtype=torch.float64, generator=generator)
    straight, permuted = attn(torch.cat([x, x[:, perm]])).split(1)

    def same(a, b):
        return bool((a - b).abs().max() <= 1e-9 * straight.abs().max())

    return {
        "invariant": same(permuted, straight),
        "equivariant": same(permuted, straight[:, perm]),
    }
