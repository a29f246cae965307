"""Single precision.

message: dtype
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).float().sum(-1)
