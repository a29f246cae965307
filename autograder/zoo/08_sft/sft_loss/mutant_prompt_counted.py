"""Counts masked tokens as token 0.

message: Masked positions were counted
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:].clamp(min=0)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / targets.numel()
    raise ValueError(reduction)
