"""Always returns float64.

message: keeps the dtype
"""


def sequence_logp(logits, targets):
    return token_logps(logits, targets).double().sum(-1)
