"""Asks the target at all places first, and counts the matches."""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    text, qs = list(prefix), []
    for _ in range(gamma):
        q = draft_fn(tuple(text))
        qs.append(q)
        text.append(int(torch.multinomial(q, 1, generator=generator)))
    n = len(prefix)
    drafts = torch.tensor(text[n:])
    ps = torch.stack([target_fn(tuple(text[: n + i])) for i in range(gamma + 1)])
    q = torch.stack(qs)
    rows = torch.arange(gamma)
    ratio = ps[rows, drafts] / q[rows, drafts]
    u = torch.rand(gamma, generator=generator, dtype=torch.float64)
    n_matches = int(((u >= ratio).cumsum(-1) < 1).sum())
    last = ps[n_matches]
    if n_matches < gamma:
        last = (last - q[n_matches]).clamp(min=0)
    extra = int(torch.multinomial(last / last.sum(), 1, generator=generator))
    return [*drafts[:n_matches].tolist(), extra]
