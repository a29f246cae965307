"""Does not shift.

message: There is no shift
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    nll = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (labels != -100).sum()
    raise ValueError(reduction)
