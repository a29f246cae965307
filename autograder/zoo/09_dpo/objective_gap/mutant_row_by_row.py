"""Goes through the rows of all arguments together: nothing broadcasts.

message: The arguments broadcast
"""


def objective_gap(p, ref, r, beta):
    if p.ndim > 1:
        return torch.stack([objective_gap(a, b, c, beta) for a, b, c in zip(p, ref, r)])
    lp = torch.log_softmax(ref.log() + r / beta, -1)
    k = torch.where(p > 0, p * (p.clamp(min=1e-300).log() - lp), 0.0).sum(-1)
    return beta * k
