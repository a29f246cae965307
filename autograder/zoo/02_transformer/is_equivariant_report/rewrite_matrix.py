"""With a permutation matrix and allclose."""


def is_equivariant_report(attn, perm, d_model=8):
    x = torch.randn(2, len(perm), d_model, generator=torch.Generator().manual_seed(3)).double()
    P = torch.eye(len(perm), dtype=torch.float64)[perm]
    fx, fpx = attn(x), attn(P @ x)
    top = fx.abs().max().item()
    close = lambda a, b: torch.allclose(a, b, rtol=0.0, atol=1e-9 * top)
    return {"invariant": close(fpx, fx), "equivariant": close(fpx, P @ fx)}
