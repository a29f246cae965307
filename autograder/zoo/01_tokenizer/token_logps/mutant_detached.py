"""Detached from the logits.

message: detached
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0).detach()
