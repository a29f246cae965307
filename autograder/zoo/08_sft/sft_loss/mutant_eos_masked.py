"""Drops the last label of each row.

message: usually the EOS
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:].clone()
    for row in targets:
        places = (row != -100).nonzero()
        if len(places):
            row[places[-1]] = -100
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
