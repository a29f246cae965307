"""Cross-entropy minus entropy."""


def kl_constrained_check(old_logits, logits, delta):
    p = old_logits.softmax(-1)
    cross = -(p * logits.log_softmax(-1)).sum(-1)
    entropy = -(p * old_logits.log_softmax(-1)).sum(-1)
    kl = (cross - entropy).mean()
    # a difference of two equal numbers may be a rounding error below 0
    return kl, not float(kl.detach()) > delta
