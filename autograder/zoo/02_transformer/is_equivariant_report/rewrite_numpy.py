"""Random numbers of numpy, uniform."""


def is_equivariant_report(attn, perm, d_model=8):
    import numpy as np

    x = torch.from_numpy(np.random.default_rng(5).uniform(-1, 1, (1, len(perm), d_model)))
    a, b = attn(x), attn(x.index_select(1, perm))
    worst = lambda c: float((b - c).abs().max() / a.abs().max())
    return dict(invariant=worst(a) < 1e-9, equivariant=worst(a[:, perm]) < 1e-9)
