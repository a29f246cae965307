"""The last token only.

message: Add the log-probabilities
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets)[:, -1]
