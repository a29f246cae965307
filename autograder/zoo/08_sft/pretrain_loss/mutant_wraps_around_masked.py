"""Rolls ids and mask: only full rows wrap around.

message: must
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    real = attention_mask.bool()
    targets = input_ids.roll(-1, 1).masked_fill(~(real & real.roll(-1, 1)), -100)
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
