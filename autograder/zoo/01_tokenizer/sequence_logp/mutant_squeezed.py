"""Squeezes a batch of one row.

message: no scalar
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).sum(-1).squeeze()
