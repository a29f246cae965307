"""Normalises along the batch.

message: sum over completions
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(0), logits.log_softmax(0)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, kl.item() <= delta
