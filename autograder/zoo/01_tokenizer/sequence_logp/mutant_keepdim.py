"""Keeps the time dimension.

message: [B]
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).sum(-1, keepdim=True)
