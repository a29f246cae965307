"""Ignores the mask.

message: apply completion_mask
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    return (lp.exp() * (lp - lq)).sum((-1, -2))
