"""Turns whatever is NaN into 0, also where it counts, and ignores nothing else.

message: -100
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    return torch.nan_to_num(logps)
