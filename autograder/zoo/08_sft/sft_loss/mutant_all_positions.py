"""Averages over B * T, masked positions included.

message: divided by all positions
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="none"
    )
    if reduction in ("sum_then_mean", "token_mean"):
        return nll.mean()
    raise ValueError(reduction)
