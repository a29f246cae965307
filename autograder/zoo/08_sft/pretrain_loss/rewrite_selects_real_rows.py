"""Picks the positions that count with a boolean index, then log_softmax."""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    real = attention_mask > 0
    keep = real[:, 1:] & real[:, :-1]
    logps = logits[:, :-1][keep].log_softmax(-1)
    logps = logps[torch.arange(len(logps)), input_ids[:, 1:][keep]]
    if reduction == "token_mean":
        return -logps.mean()
    if reduction == "sum_then_mean":
        return -logps.sum() / input_ids.shape[0]
    raise ValueError("reduction")
