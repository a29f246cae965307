"""Takes a batch of one text to be without padding.

message: A batch of one text
"""


def sequence_reward(hidden, attention_mask, w):
    if len(hidden) == 1:
        return hidden[:, -1] @ w
    last = (attention_mask.long() * torch.arange(hidden.shape[1])).argmax(1)
    return hidden[torch.arange(len(hidden)), last] @ w
