"""Multiplies with the mask: 0 times infinity.

message: 0 times infinity
"""


def sft_loss(logits, labels, reduction="sum_then_mean"):
    targets = labels[:, 1:]
    mask = (targets != -100).to(logits)
    logps = logits[:, :-1].log_softmax(-1)
    nll = -logps.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1) * mask
    if reduction == "sum_then_mean":
        return nll.sum(1).mean()
    if reduction == "token_mean":
        return nll.sum() / mask.sum()
    raise ValueError(reduction)
