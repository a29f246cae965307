"""Multiplies with the mask's own dtype.

message: whatever the dtype of the mask
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    return (kl * completion_mask).sum(-1)
