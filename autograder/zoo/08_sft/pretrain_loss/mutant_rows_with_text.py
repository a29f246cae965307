"""Divides by the rows that have any real token.

message: without any text
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if reduction not in ("sum_then_mean", "token_mean"):
        raise ValueError(reduction)
    mask = (torch.ones_like(input_ids) if attention_mask is None else attention_mask).bool()
    counts = mask[:, 1:] & mask[:, :-1]
    targets = input_ids[:, 1:].masked_fill(~counts, -100)
    total = F.cross_entropy(logits[:, :-1].transpose(1, 2), targets, reduction="sum")
    return total / (mask.any(1).sum() if reduction == "sum_then_mean" else counts.sum())
