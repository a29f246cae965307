"""Counts ignored positions as token 0.

message: counted the ignored positions
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets.clamp(min=0)).sum(-1)
