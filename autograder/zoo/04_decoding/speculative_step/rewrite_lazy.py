"""Drafts and tests one token at a time."""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    new = []
    for _ in range(gamma):
        q, p = draft_fn((*prefix, *new)), target_fn((*prefix, *new))
        u, v = torch.rand(2, generator=generator, dtype=torch.float64)
        token = int(sample_from(q, u))
        if float(v) * float(q[token]) >= float(p[token]):
            w = torch.rand(1, generator=generator, dtype=torch.float64)[0]
            return [*new, int(sample_from(residual_distribution(p, q), w))]
        new.append(token)
    w = torch.rand(1, generator=generator, dtype=torch.float64)[0]
    return [*new, int(sample_from(target_fn((*prefix, *new)), w))]
