"""Draws the bonus token at temperature 0.85.

message: sharpened, cut or smoothed
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
        if u < acceptance_probability(p, q, t):
            new.append(t)
            ctx = (*ctx, t)
        else:
            new.append(draw(residual_distribution(p, q)))
            return new
    new.append(draw(temperature_probs(target_fn(ctx).log(), 0.85)))
    return new
