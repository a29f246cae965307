"""The library's mean whatever was asked for.

message: That is token_mean
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    if reduction not in ("sum_then_mean", "token_mean"):
        raise ValueError(reduction)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
