"""Shifts as if the logits predicted the next position.

message: already predicts token t
"""


def sequence_kl(logits, ref_logits, completion_mask):
    lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)

    kl = (lp.exp() * (lp - lq)).sum(-1)
    return (kl[:, :-1] * completion_mask[:, 1:].to(kl.dtype)).sum(-1)
