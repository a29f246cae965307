"""The probability, not its logarithm.

message: Add the log-probabilities
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).sum(-1).exp()
