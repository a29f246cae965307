"""Computes in single precision and converts back.

message: aligned
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits.float().log_softmax(dim=-1).to(logits.dtype).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
