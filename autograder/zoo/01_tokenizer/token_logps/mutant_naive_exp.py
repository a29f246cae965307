"""Divides exponentials by hand.

message: overflows
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = (logits - logits.exp().sum(-1, keepdim=True).log()).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
