"""Multiplies with the mask: 0 times infinity.

message: 0 times infinity
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    mask = (attention_mask[:, 1:].bool() & attention_mask[:, :-1].bool()).to(logits)
    logps = logits[:, :-1].log_softmax(-1)
    nll = -logps.gather(-1, input_ids[:, 1:, None])[..., 0] * mask
    if reduction == "sum_then_mean":
        return nll.sum() / len(input_ids)
    if reduction == "token_mean":
        return nll.sum() / mask.sum()
    raise ValueError(reduction)
