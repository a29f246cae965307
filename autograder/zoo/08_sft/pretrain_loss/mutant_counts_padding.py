"""Ignores the attention mask.

message: use attention_mask
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / targets.numel()
    raise ValueError(reduction)
