"""Averages over the completions, too.

message: averaged over the completions
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).mean()
    return kl, kl.item() <= delta
