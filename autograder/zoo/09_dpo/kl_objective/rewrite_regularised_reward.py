"""The expectation of R_beta under the policy."""


def kl_objective(probs, ref_probs, rewards, beta):
    log_ratio = probs.clamp_min(1e-300).log() - ref_probs.log()
    return (probs * (rewards - beta * log_ratio)).sum(-1)
