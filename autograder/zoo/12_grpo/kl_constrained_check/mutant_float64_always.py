"""Converts to float64.

message: dtype of the logits
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.double().log_softmax(-1), logits.double().log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, kl.item() <= delta
