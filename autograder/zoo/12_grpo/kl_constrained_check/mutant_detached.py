"""Detaches the divergence.

message: keep the graph
"""


def kl_constrained_check(old_logits, logits, delta):
    with torch.no_grad():
        p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
        kl = (p.exp() * (p - q)).sum(-1).mean()
    return kl, kl.item() <= delta
