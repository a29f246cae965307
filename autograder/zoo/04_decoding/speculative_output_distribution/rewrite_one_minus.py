"""1 minus the accepted mass."""


def speculative_output_distribution(p, q, accept=None, residual=None):
    rule = accept if accept is not None else acceptance_probability
    replace = residual if residual is not None else residual_distribution
    kept = torch.stack(
        [
            q[a] * torch.as_tensor(rule(p, q, a), dtype=q.dtype) if q[a] > 0 else q[a] * 0
            for a in range(len(q))
        ]
    )
    return kept + (1 - kept.sum()) * replace(p, q)
