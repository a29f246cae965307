"""Decides on the padding side once, from the first row.

message: rows may be padded differently
"""


def sequence_reward(hidden, attention_mask, w):
    mask = attention_mask.long()
    if mask[:, -1].all():
        return hidden[:, -1] @ w
    return hidden[torch.arange(len(hidden)), mask.sum(1) - 1] @ w
