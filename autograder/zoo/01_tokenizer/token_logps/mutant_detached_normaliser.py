"""Treats the normaliser as a constant.

message: one-hot target minus the softmax
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = (logits - logits.logsumexp(-1, keepdim=True).detach()).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
