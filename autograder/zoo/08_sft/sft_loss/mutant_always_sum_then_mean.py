"""Ignores the reduction.

message: That is sum_then_mean
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    if reduction not in ("sum_then_mean", "token_mean"):
        raise ValueError(reduction)
    targets = labels[:, 1:].flatten()
    nll = F.cross_entropy(logits[:, :-1].flatten(0, 1), targets, reduction="sum")
    return nll / len(labels)
