"""Multiplies probabilities, then takes the logarithm.

message: underflows to 0
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).exp().prod(-1).log()
