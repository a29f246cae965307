"""Divides by the number of tokens.

message: mean over the tokens
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).sum(-1) / (targets != -100).sum(-1)
