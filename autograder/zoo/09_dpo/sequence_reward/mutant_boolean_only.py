"""Indexes with the mask as if it were boolean.

message: last token whose mask is 1
"""


def sequence_reward(hidden, attention_mask, w):
    places = [int(torch.nonzero(row)[0]) for row in attention_mask]
    return torch.stack([hidden[b, t] @ w for b, t in enumerate(places)])
