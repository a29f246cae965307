"""Takes the first KL for all prompts.

message: With kl
"""
def is_objective(logp, mu_logp, ref, R, beta, kl=None):
    w = (logp - mu_logp).exp()
    if kl is None:
        return (w * (R - beta * (logp - ref))).mean()
    return (w * R - beta * kl.flatten()[0]).mean()
