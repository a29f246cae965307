"""Computes without a graph.

message: differentiable in the logits
"""


def sequence_kl(logits, ref_logits, completion_mask):
    with torch.no_grad():
        lp, lq = logits.log_softmax(-1), ref_logits.log_softmax(-1)
        kl = (lp.exp() * (lp - lq)).sum(-1)
        return (kl * completion_mask.to(kl.dtype)).sum(-1)
