"""Caps beta at 5.

message: beta * (ln(pi / pi_ref) + 1)
"""


def kl_objective(probs, ref_probs, rewards, beta):
    beta = min(beta, 5.0)
    ratio = torch.where(probs > 0, probs / ref_probs, torch.ones_like(probs))
    return (probs * (rewards - beta * ratio.log())).sum(-1)
