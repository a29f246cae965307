"""The first place where the running count is complete."""


def sequence_reward(hidden, attention_mask, w):
    count = attention_mask.long().cumsum(1)
    last = (count == count[:, -1:]).long().argmax(1)
    return (hidden @ w).gather(1, last[:, None]).squeeze(1)
