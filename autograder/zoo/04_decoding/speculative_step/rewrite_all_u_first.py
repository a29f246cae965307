"""All uniform numbers are drawn at the start."""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    u = torch.rand(2 * gamma + 1, generator=generator, dtype=torch.float64)
    text, qs = tuple(prefix), []
    for i in range(gamma):
        qs.append(draft_fn(text))
        text += (int(sample_from(qs[i], u[i])),)
    for i in range(gamma):
        place = len(prefix) + i
        p = target_fn(text[:place])
        if u[gamma + i] >= acceptance_probability(p, qs[i], text[place]):
            fixed = sample_from(residual_distribution(p, qs[i]), u[-1])
            return [*text[len(prefix) : place], fixed.item()]
    return [*text[len(prefix) :], sample_from(target_fn(text), u[-1]).item()]
