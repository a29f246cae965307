"""Compares the mask with True by `is`-like integer arithmetic: wrong for bool.

message: raised
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        keep = attention_mask[:, 1:] - (1 - attention_mask[:, :-1]) > 0
        targets = targets.masked_fill(~keep, -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
