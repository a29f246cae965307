"""Goes on after a rejection.

message: Drafts behind the rejection were kept
"""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    def uniform():
        return torch.rand((), generator=generator, dtype=torch.float64)

    drafts, draft_probs = [], []
    for _ in range(gamma):
        draft_probs.append(draft_fn((*prefix, *drafts)))
        drafts.append(int(sample_from(draft_probs[-1], uniform())))
    for i, (token, q) in enumerate(zip(drafts, draft_probs)):
        p = target_fn((*prefix, *drafts[:i]))
        if uniform() >= acceptance_probability(p, q, token):
            drafts[i] = int(sample_from(residual_distribution(p, q), uniform()))
            return drafts
    return [*drafts, int(sample_from(target_fn((*prefix, *drafts)), uniform()))]
