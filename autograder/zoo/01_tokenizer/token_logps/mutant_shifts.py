"""Shifts inside.

message: shape
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits[:, :-1].log_softmax(dim=-1).gather(-1, index[:, 1:]).squeeze(-1)
    return logps.masked_fill(ignored[:, 1:], 0.0)
