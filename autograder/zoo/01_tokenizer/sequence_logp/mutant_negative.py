"""Returns the loss.

message: sign is that of a loss
"""


def sequence_logp(logits, targets):
    return -token_logps(logits, targets).sum(-1)
