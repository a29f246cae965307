"""The library's mean whatever was asked for.

message: That is token_mean
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if reduction not in ("sum_then_mean", "token_mean"):
        raise ValueError(reduction)
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        real = attention_mask.bool()
        targets = targets.masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), targets.flatten())
