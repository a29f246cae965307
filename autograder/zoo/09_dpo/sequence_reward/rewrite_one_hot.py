"""A mask of the last real token, multiplied and summed."""


def sequence_reward(hidden, attention_mask, w):
    mask = attention_mask.bool()
    later = torch.flip(torch.flip(mask.long(), [1]).cumsum(1), [1])
    only_last = (mask & (later == 1)).to(hidden.dtype)
    return torch.einsum("btd,bt,d->b", hidden, only_last, w)
