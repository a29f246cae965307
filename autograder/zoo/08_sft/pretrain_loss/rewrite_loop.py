"""Term by term, with logsumexp."""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    if reduction not in ("sum_then_mean", "token_mean"):
        raise ValueError(reduction)
    terms = []
    for b in range(input_ids.shape[0]):
        for t in range(1, input_ids.shape[1]):
            if attention_mask is None or (
                attention_mask[b, t] and attention_mask[b, t - 1]
            ):
                row = logits[b, t - 1]
                terms.append(row.logsumexp(0) - row[input_ids[b, t]])
    count = len(terms) if reduction == "token_mean" else len(input_ids)
    return torch.stack(terms).sum() / count
