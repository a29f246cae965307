"""Divides the batch's total evenly.

message: whose mask is 1
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1) * completion_mask
    return kl.sum().expand(len(kl)).clone() / len(kl)
