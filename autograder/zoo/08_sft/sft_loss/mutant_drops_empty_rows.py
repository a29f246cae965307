"""Leaves rows without labels out of the mean.

message: left rows without labels out
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / (targets != -100).any(1).sum()
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
