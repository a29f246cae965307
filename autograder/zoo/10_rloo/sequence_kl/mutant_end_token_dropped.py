"""Leaves out the completion's last token.

message: whose mask is 1
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    mask = completion_mask.to(kl.dtype)
    later = mask.flip(-1).cumsum(-1).flip(-1)
    return (kl * mask * (later > 1)).sum(-1)
