"""Detached.

message: detached
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).sum(-1).detach()
