"""Takes log(softmax(...) + 1e-12).

message: underflows
"""


def token_logps(logits, targets):
    ignored = targets == -100
    index = targets.masked_fill(ignored, 0).unsqueeze(-1)
    logps = (logits.softmax(dim=-1) + 1e-12).log().gather(-1, index).squeeze(-1)
    return logps.masked_fill(ignored, 0.0)
