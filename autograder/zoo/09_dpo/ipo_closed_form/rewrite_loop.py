"""Loops, and the maximum subtracted by hand."""


def ipo_closed_form(ref, mu, pref_matrix, tau):
    n = len(ref)
    wins = [sum(float(mu[j] * pref_matrix[i, j]) for j in range(n)) for i in range(n)]
    top = max(wins)
    each = torch.tensor([float(ref[i]) * math.exp((wins[i] - top) / tau) for i in range(n)],
                        dtype=torch.float64)
    return each / each.sum()
