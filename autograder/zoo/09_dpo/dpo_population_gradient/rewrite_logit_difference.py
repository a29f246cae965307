"""The log-odds of the policy minus those of the reference."""


def dpo_population_gradient(theta, prefs, mu, ref_probs, beta):
    odds = theta[:, None] - theta[None, :]
    ref_odds = (ref_probs[:, None] / ref_probs[None, :]).log()
    pull = beta * mu * (bt_probability(beta * odds, beta * ref_odds) - prefs)
    return pull.sum(1) - pull.sum(0)
