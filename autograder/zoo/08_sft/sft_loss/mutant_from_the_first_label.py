"""Starts at the first label and closes the gaps.

message: several answers
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    start = (targets != -100).long().argmax(1).tolist()
    nll, count = 0.0, 0
    for b, place in enumerate(start):
        kept = targets[b][targets[b] != -100]
        rows = logits[b, place : place + len(kept)]
        nll = nll + F.cross_entropy(rows, kept, reduction="sum")
        count += len(kept)
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / count
    raise ValueError(reduction)
