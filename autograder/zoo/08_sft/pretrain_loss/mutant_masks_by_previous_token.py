"""Masks by the token before only: the first padding token is predicted.

message: but the first of each row
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        targets = targets.masked_fill(~attention_mask[:, :-1].bool(), -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
