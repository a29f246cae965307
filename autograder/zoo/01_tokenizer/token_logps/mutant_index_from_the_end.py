"""Uses -100 as an index from the end.

message: index from the end
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = (targets % logits.shape[-1]).unsqueeze(-1)
    logps = logits.log_softmax(dim=-1).gather(-1, index).squeeze(-1)
    return logps
