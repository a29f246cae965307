"""Forgets to normalise the new logits.

message: sum over completions
"""


def kl_constrained_check(old_logits, logits, delta):
    p = old_logits.log_softmax(-1)
    kl = (p.exp() * (p - logits)).sum(-1).mean()
    return kl, kl.item() <= delta
