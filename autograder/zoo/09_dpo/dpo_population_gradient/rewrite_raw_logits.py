"""The normaliser of the softmax cancels in the gap: raw logits do."""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    gap = theta - ref_probs.log()
    opinion = torch.sigmoid(beta * (gap[:, None] - gap[None, :]))
    pull = beta * mu * (opinion - prefs)
    return pull.sum(1) - pull.sum(0)
