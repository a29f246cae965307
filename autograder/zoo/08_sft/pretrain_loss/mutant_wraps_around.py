"""Rolls the ids, so that the last logits predict the first token.

message: a roll wraps around
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids.roll(-1, dims=1)
    if attention_mask is not None:
        pass
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / targets.numel()
    raise ValueError(reduction)
