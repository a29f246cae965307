"""Uses the mask of the first completion for all.

message: whose mask is 1
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    return (kl * completion_mask[:1].to(kl.dtype)).sum(-1)
