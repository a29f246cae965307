"""Clips the probabilities.

message: do not clip
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.softmax(-1).clamp(min=1e-12), logits.softmax(-1).clamp(min=1e-12)
    kl = (p * (p / q).log()).sum(-1).mean()
    return kl, kl.item() <= delta
