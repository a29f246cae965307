"""Divides by 3.

message: (pi
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum() / 3
    return kl, kl.item() <= delta
