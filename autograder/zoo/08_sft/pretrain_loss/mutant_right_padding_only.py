"""Reads the mask as a length.

message: A term counts if
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    targets = input_ids[:, 1:]
    if attention_mask is not None:
        length = attention_mask.long().sum(1, keepdim=True)
        place = torch.arange(1, input_ids.shape[1])
        targets = targets.masked_fill(place >= length, -100)
    nll = F.cross_entropy(
        logits[:, :-1].flatten(0, 1), targets.flatten(), reduction="sum"
    )
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
