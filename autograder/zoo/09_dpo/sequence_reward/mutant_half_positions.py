"""Half precision cannot count beyond 2048.

message: positions in the thousands
"""


def sequence_reward(hidden, attention_mask, w):
    place = torch.arange(hidden.shape[1]).half()
    last = (attention_mask.half() * place).amax(1).long()
    return hidden[torch.arange(len(hidden)), last] @ w
