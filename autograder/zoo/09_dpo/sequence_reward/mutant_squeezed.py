"""A batch of one text loses its dimension.

message: keeps its dimension
"""


def sequence_reward(hidden, attention_mask, w):
    last = (attention_mask.long() * torch.arange(hidden.shape[1])).argmax(1)
    return (hidden[torch.arange(len(hidden)), last] @ w).squeeze()
