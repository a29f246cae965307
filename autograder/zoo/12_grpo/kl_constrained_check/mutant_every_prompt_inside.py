"""The mean, but every prompt must be inside.

message: one prompt may
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.log_softmax(-1), logits.log_softmax(-1)
    rows = (p.exp() * (p - q)).sum(-1)
    return rows.mean(), bool((rows <= delta).all())
