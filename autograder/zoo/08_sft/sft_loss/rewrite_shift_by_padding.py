"""Shifts the labels to the left and appends -100."""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    if reduction not in {"sum_then_mean", "token_mean"}:
        raise ValueError(reduction)
    shifted = F.pad(labels, (0, 1), value=-100)[:, 1:]
    if reduction == "token_mean":
        return F.cross_entropy(logits.transpose(1, 2), shifted)
    terms = F.cross_entropy(logits.transpose(1, 2), shifted, reduction="none")
    return terms.sum(dim=1).mean(dim=0)
