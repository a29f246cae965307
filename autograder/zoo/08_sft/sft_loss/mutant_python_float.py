"""Returns a Python float.

message: tensor
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return (nll / len(labels)).item()
    if reduction == "token_mean":
        return (nll / (targets != -100).sum()).item()
    raise ValueError(reduction)
