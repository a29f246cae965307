"""A list of floats.

message: [B]
"""


def sequence_logp(logits, targets):
    return [row.sum().item() for row in token_logps(logits, targets)]
