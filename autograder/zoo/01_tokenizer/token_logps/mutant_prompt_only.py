"""Ignores from the first -100 on.

message: -100
"""


def token_logps(logits, targets):
    ignored = (targets == -100).long().cumsum(-1) > 0
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
