"""Shifts although the arguments are aligned.

message: Add the log-probabilities
"""


def sequence_logp(logits, targets):
    return token_logps(logits[:, :-1], targets[:, 1:]).sum(-1)
