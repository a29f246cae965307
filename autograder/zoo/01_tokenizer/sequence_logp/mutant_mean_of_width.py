"""Mean over the width of the batch.

message: width of the batch
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).mean(-1)
