"""Takes the largest prompt.

message: constraint is on the mean
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).max()
    return kl, kl.item() <= delta
