"""Clamps the softmax to keep the logarithm finite.

message: softmax underflows
"""


def sequence_kl(logits, ref_logits, completion_mask):
    p, q = (
        logits.softmax(-1).clamp(min=1e-300),
        ref_logits.softmax(-1).clamp(min=1e-300),
    )
    kl = (p * (p.log() - q.log())).sum(-1)
    return (kl * completion_mask.to(kl.dtype)).sum(-1)
