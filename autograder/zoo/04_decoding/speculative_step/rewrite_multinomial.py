"""torch.multinomial and bernoulli."""


def speculative_step(prefix, draft_fn, target_fn, gamma, generator):
    def pick(probs):
        return torch.multinomial(probs, 1, generator=generator).item()

    proposals = []
    while len(proposals) < gamma:
        probs = draft_fn(tuple(prefix) + tuple(t for t, _ in proposals))
        proposals.append((pick(probs), probs))
    result = []
    for token, q in proposals:
        p = target_fn(tuple(prefix) + tuple(result))
        chance = torch.clamp(p[token] / q[token], max=1.0)
        if torch.bernoulli(chance, generator=generator) == 1:
            result.append(token)
        else:
            result.append(pick(residual_distribution(p, q)))
            break
    else:
        result.append(pick(target_fn(tuple(prefix) + tuple(result))))
    return result
