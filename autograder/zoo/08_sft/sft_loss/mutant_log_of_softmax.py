"""The logarithm of softmax underflows.

message: Use log_softmax
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    logps = logits[:, :-1].softmax(-1).log()
    nll = F.nll_loss(logps.flatten(0, 1), targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(labels)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
