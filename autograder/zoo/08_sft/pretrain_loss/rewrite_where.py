"""torch.where instead of ignored targets."""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    mask = torch.ones(input_ids.shape) if attention_mask is None else attention_mask
    keep = (mask[:, 1:] * mask[:, :-1]) != 0
    logps = logits[:, :-1].log_softmax(-1).gather(-1, input_ids[:, 1:, None]).squeeze(-1)
    nll = torch.where(keep, -logps, torch.zeros((), dtype=logits.dtype))
    if reduction == "sum_then_mean":
        return nll.sum(1).mean()
    elif reduction == "token_mean":
        return nll.sum() / keep.sum()
    raise ValueError(f"reduction {reduction}")
