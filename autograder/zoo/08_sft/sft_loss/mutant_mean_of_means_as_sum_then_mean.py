"""Averages within the rows where it should sum.

message: means of the examples
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    nll = F.cross_entropy(logits[:, :-1].transpose(1, 2), targets, reduction="none")
    count = (targets != -100).sum(1)
    if reduction == "sum_then_mean":
        return (nll.sum(1) / count.clamp(min=1)).mean()
    if reduction == "token_mean":
        return nll.sum() / count.sum()
    raise ValueError(reduction)
