"""Takes 1 for padding.

message: mask is inverted
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    return (kl * (1 - completion_mask.to(kl.dtype))).sum(-1)
