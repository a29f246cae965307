"""Shifts twice.

message: one position before
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 2:]
    nll = F.cross_entropy(
        logits[:, :-2].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
