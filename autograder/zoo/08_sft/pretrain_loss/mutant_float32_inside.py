"""Upcasts to float32 only, like a library.

message: Sum -ln pi
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        real = attention_mask.bool()
        targets = targets.masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    nll = F.cross_entropy(
        logits.float()[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    nll = nll.to(logits.dtype)
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
