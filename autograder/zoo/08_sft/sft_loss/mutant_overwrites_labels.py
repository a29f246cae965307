"""Replaces -100 in the argument.

message: in place
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    mask = labels[:, 1:] != -100
    labels[labels == -100] = 0
    logps = logits[:, :-1].log_softmax(-1)
    logps = logps.gather(-1, labels[:, 1:, None])[..., 0].masked_fill(~mask, 0.0)
    if reduction == "sum_then_mean":
        return -logps.sum() / len(labels)
    if reduction == "token_mean":
        return -logps.sum() / mask.sum()
    raise ValueError(reduction)
