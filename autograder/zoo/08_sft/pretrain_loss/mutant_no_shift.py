"""Scores each token with the logits of its own position.

message: logits[:, t] predict token t + 1
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
    targets = input_ids.masked_fill(mask == 0, -100)
    nll = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum")
    if reduction == "sum_then_mean":
        return nll / len(input_ids)
    if reduction == "token_mean":
        return nll / (targets != -100).sum()
    raise ValueError(reduction)
