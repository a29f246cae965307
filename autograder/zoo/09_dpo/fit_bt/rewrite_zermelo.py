"""The MM algorithm of Zermelo and Hunter."""


def fit_bt(wins, lr, steps):
    counts = wins.double()
    played = counts + counts.T
    strength = torch.ones(len(counts), dtype=torch.float64)
    for _ in range(3000):
        expected = played / (strength[:, None] + strength[None, :])
        strength = counts.sum(1) / expected.sum(1)
        strength = strength / strength.log().mean().exp()
    return strength.log()
