"""Plain sums."""


def speculative_output_distribution(p, q, accept=None, residual=None):
    if accept is None:
        accept = acceptance_probability
    if residual is None:
        residual = residual_distribution
    res = residual(p, q)
    keep = {b: float(accept(p, q, b)) for b in range(len(q)) if q[b] > 0}
    rejection = sum(float(q[b]) * (1 - c) for b, c in keep.items())
    law = [float(q[a]) * keep.get(a, 0.0) + rejection * float(res[a]) for a in range(len(p))]
    return torch.tensor(law, dtype=torch.float64)
