"""Accepts with the ratio to the power of 0.75.

message: min(1, p/q) as it is
"""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    def draw(probs):
        u = torch.rand((), generator=generator, dtype=torch.float64)
        return int(sample_from(probs, u))
    ctx = tuple(prefix)
    drafts = []
    for _ in range(gamma):
        q = draft_fn(ctx)
        t = draw(q)
        drafts.append((t, q))
        ctx = (*ctx, t)
    new = []
    ctx = tuple(prefix)
    for t, q in drafts:
        p = target_fn(ctx)
        u = torch.rand((), generator=generator, dtype=torch.float64)
        if u < acceptance_probability(p, q, t) ** 0.75:
            new.append(t)
            ctx = (*ctx, t)
        else:
            new.append(draw(residual_distribution(p, q)))
            return new
    new.append(draw(target_fn(ctx)))
    return new
