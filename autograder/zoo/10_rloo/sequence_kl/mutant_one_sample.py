"""The log-ratio of the likeliest token instead of the sum over the vocabulary.

message: exact KL(pi || pi_ref)
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    best = lp.argmax(-1, keepdim=True)
    kl = (lp - lq).gather(-1, best)[..., 0]
    return (kl * completion_mask.to(kl.dtype)).sum(-1)
