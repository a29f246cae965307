"""The right value with the gradient of the mean.

message: without division
"""


def sequence_logp(logits, targets):
    return value_of_sum(token_logps(logits, targets), targets)


def value_of_sum(logps, targets):
    mean = logps.sum(-1) / (targets != -100).sum(-1).clamp(min=1)
    return mean + (logps.sum(-1) - mean).detach()
