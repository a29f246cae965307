"""Tests each draft twice.

message: four cases out of ten
"""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    def uniform():
        return torch.rand((), generator=generator, dtype=torch.float64)

    drafts, draft_probs = [], []
    for _ in range(gamma):
        draft_probs.append(draft_fn((*prefix, *drafts)))
        drafts.append(int(sample_from(draft_probs[-1], uniform())))
    new = []
    for token, q in zip(drafts, draft_probs):
        p = target_fn((*prefix, *new))
        if max(uniform(), uniform()) >= acceptance_probability(p, q, token):
            new.append(int(sample_from(residual_distribution(p, q), uniform())))
            return new
        new.append(token)
    bonus = sample_from(target_fn((*prefix, *new)), uniform())
    return [*new, int(bonus)]
