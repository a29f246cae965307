"""Sums up to the first ignored position.

message: add exactly 0
"""


def sequence_logp(logits, targets):
    keep = (targets != -100).long().cumprod(-1).bool()
    return token_logps(logits, targets.masked_fill(~keep, -100)).sum(-1)
