"""Takes token 0 for padding, too.

message: Sum -ln pi
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:].masked_fill(labels[:, 1:] <= 0, -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
