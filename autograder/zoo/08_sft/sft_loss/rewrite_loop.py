"""Example by example."""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    sums, count = [], 0
    for row, label in zip(logits, labels):
        targets = label[1:]
        sums.append(F.cross_entropy(row[:-1], targets, reduction="sum"))
        count += int((targets != -100).sum())
    if reduction == "sum_then_mean":
        return torch.stack(sums).mean()
    if reduction == "token_mean":
        return torch.stack(sums).sum() / count
    raise ValueError(reduction)
