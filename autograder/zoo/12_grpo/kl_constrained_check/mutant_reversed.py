"""Puts the new policy first.

message: new policy first
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = logits.log_softmax(-1), old_logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, kl.item() <= delta
