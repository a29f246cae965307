"""A matrix of transitions from draft to output."""


def speculative_output_distribution(p, q, accept=None, residual=None):
    accept = acceptance_probability if accept is None else accept
    residual = residual_distribution if residual is None else residual
    chances = torch.tensor(
        [float(accept(p, q, a)) if q[a] > 0 else 0.0 for a in range(len(q))], dtype=p.dtype
    )
    transition = torch.diag(chances) + (1 - chances)[:, None] * residual(p, q)[None, :]
    return q @ transition
