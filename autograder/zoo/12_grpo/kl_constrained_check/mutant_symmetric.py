"""Averages both directions.

message: averaged both directions
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = ((p.exp() - q.exp()) * (p - q)).sum(-1).mean() / 2
    return kl, kl.item() <= delta
