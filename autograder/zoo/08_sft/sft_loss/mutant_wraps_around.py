"""Rolls the labels.

message: but one at position 0
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels.roll(-1, dims=1)
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
