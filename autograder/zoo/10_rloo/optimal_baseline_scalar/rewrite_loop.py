"""Sums in Python."""


def optimal_baseline_scalar(probs, A, g):
    top = sum(
        p * a * s * s
        for p, a, s in zip(probs.tolist(), A.tolist(), g.tolist(), strict=True)
    )
    bottom = sum(p * s * s for p, s in zip(probs.tolist(), g.tolist(), strict=True))
    return torch.tensor(top / bottom, dtype=torch.float64)
