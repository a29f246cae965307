"""Three inputs, token by token."""


def is_equivariant_report(attn, perm, d_model=8):
    generator = torch.Generator().manual_seed(11)
    invariant = equivariant = True
    for _ in range(3):
        x = torch.randn(1, len(perm), d_model, dtype=torch.float64, generator=generator)
        before, after = attn(x)[0], attn(x[:, perm])[0]
        limit = 1e-9 * before.abs().max()
        for i, source in enumerate(perm.tolist()):
            invariant = invariant and bool((after[i] - before[i]).abs().max() <= limit)
            equivariant = equivariant and bool((after[i] - before[source]).abs().max() <= limit)
    return {"equivariant": equivariant, "invariant": invariant}
