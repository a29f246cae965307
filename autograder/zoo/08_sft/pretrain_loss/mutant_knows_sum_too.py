"""Knows torch's names as well.

message: ValueError
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        real = attention_mask.bool()
        targets = targets.masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction in ("token_mean", "mean"):
        return nll / (targets != -100).sum()
    if reduction == "sum":
        return nll
    raise ValueError(reduction)
