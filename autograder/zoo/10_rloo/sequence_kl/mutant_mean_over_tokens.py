"""Averages over the completion.

message: averaged over the tokens
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    mask = completion_mask.to(kl.dtype)
    return (kl * mask).sum(-1) / mask.sum(-1)
