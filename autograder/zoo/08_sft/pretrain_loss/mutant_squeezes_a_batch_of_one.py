"""Squeezes a batch of one and divides by the wrong dimension.

message: a batch of 1 is a batch
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        real = attention_mask.bool()
        targets = targets.masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    targets = targets.squeeze(0)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(targets)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
