"""Trains the head only.

message: No gradient reaches
"""


def sequence_reward(hidden, attention_mask, w):
    last = (attention_mask.long() * torch.arange(hidden.shape[1])).argmax(1)
    return hidden[torch.arange(len(hidden)), last].detach() @ w
