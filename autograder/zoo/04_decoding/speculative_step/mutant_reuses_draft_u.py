"""Decides with the number that drew the draft.

message: do not have the law
"""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    def uniform():
        return torch.rand((), generator=generator, dtype=torch.float64)

    drafts, draft_probs, us = [], [], []
    for _ in range(gamma):
        draft_probs.append(draft_fn((*prefix, *drafts)))
        us.append(uniform())
        drafts.append(int(sample_from(draft_probs[-1], us[-1])))
    new = []
    for u, token, q in zip(us, drafts, draft_probs):
        p = target_fn((*prefix, *new))
        if u >= acceptance_probability(p, q, token):
            new.append(int(sample_from(residual_distribution(p, q), uniform())))
            return new
        new.append(token)
    bonus = sample_from(target_fn((*prefix, *new)), uniform())
    return [*new, int(bonus)]
