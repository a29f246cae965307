"""Labels are the ids; the other loss does the rest."""


def pretrain_loss(logits, input_ids, reduction="sum_then_mean", attention_mask=None):
    labels = input_ids.clone()
    if attention_mask is not None:
        labels[attention_mask == 0] = -100
        before = attention_mask.roll(1, dims=1)
        labels[before == 0] = -100
        labels[:, 0] = -100
    return sft_loss(logits, labels, reduction)
