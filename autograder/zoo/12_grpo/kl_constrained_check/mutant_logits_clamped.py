"""Clamps the logits.

message: do not clip
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.clamp(-80, 80).log_softmax(-1), logits.clamp(-80, 80).log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, kl.item() <= delta
