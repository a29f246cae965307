"""Takes the logarithm of a softmax.

message: softmax underflows
"""


def sequence_kl(logits, ref_logits, completion_mask):
    p, q = logits.softmax(-1), ref_logits.softmax(-1)
    kl = kl_divergence(p, q)
    return (kl * completion_mask.to(kl.dtype)).sum(-1)
