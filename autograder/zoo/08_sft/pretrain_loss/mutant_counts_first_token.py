"""token_mean divides by all real tokens.

message: the first one of each row is not predicted
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    real = attention_mask.bool()
    targets = input_ids[:, 1:].masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / real.sum()
    raise ValueError(reduction)
