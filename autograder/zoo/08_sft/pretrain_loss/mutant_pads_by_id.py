"""Takes id 0 for padding.

message: no id is special
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    real = input_ids != 0 if attention_mask is None else attention_mask.bool()
    targets = input_ids[:, 1:].masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
