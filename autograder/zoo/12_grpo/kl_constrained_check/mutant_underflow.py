"""Takes the logarithm of a softmax.

message: use log_softmax
"""


def kl_constrained_check(old_logits, logits, delta):
    p, q = old_logits.softmax(-1), logits.softmax(-1)
    kl = torch.xlogy(p, p / q).sum(-1).mean()
    return kl, kl.item() <= delta
