"""Takes everything between the first and the last label.

message: several answers
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    total, count = 0.0, 0
    for row, label in zip(logits, labels):
        places = (label[1:] != -100).nonzero().flatten().tolist()
        if not places:
            continue
        targets = label[1:][places[0] : places[-1] + 1].clamp(min=0)
        chosen = row[:-1][places[0] : places[-1] + 1]
        total = total + F.cross_entropy(chosen, targets, reduction="sum")
        count += len(targets)
    if reduction == "sum_then_mean":
        return total / len(labels)
    if reduction == "token_mean":
        return total / count
    raise ValueError(reduction)
