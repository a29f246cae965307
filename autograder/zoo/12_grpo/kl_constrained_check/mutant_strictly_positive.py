"""Calls a policy that has not moved outside.

message: has not moved
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, 0 < kl.item() <= delta
