"""Entropy and cross-entropy separately."""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    p = lp.exp()
    kl = -(p * lq).sum(-1) + (p * lp).sum(-1)
    return (kl * completion_mask.to(kl.dtype)).sum(1)
