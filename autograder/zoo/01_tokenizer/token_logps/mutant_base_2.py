"""Logarithms to base 2.

message: base 2
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    logps = logps / math.log(2)
    return logps.masked_fill(ignored, 0.0)
