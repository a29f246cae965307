"""log_softmax and gather, masked_fill."""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    ignored = targets == -100
    logps = logits[:, :-1].log_softmax(-1)
    logps = logps.gather(-1, targets.masked_fill(ignored, 0)[..., None])[..., 0]
    total = -logps.masked_fill(ignored, 0).sum(1)
    if reduction == "sum_then_mean":
        return total.mean()
    if reduction == "token_mean":
        return total.sum() / (~ignored).sum()
    raise ValueError("no such reduction")
