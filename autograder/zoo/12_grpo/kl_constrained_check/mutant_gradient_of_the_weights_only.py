"""Detaches the new logits in the logarithm.

message: keep the graph
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    kl = (p.exp() * (p - q.detach())).sum(-1).mean()
    return kl, kl.item() <= delta
