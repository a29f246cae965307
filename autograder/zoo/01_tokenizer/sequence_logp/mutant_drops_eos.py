"""Leaves the last target out.

message: left out the EOS
"""


def sequence_logp(logits, targets):
    return sum_without_last(logits, targets)


def sum_without_last(logits, targets):
    last = (targets != -100).sum(-1, keepdim=True) - 1
    keep = torch.arange(targets.shape[1]) != last
    return (token_logps(logits, targets) * keep).sum(-1)
