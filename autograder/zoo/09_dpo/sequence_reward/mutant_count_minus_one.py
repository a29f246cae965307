"""Right padding only.

message: only with padding on the right
"""


def sequence_reward(hidden, attention_mask, w):
    last = attention_mask.long().sum(1) - 1
    return hidden[torch.arange(len(hidden)), last] @ w
