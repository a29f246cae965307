"""Sums over the batch.

message: [B]
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).sum(0)
