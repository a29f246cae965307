"""Divides by the rows that have a term.

message: still one of the rows
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
        return nll / (targets != -100).any(1).sum()
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
