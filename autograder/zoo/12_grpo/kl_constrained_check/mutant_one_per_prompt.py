"""One value per prompt.

message: one value per prompt
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1)
    return kl, bool(kl.mean() <= delta)
