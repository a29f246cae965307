"""Averages over the real tokens.

message: You averaged over the tokens
"""


def sequence_reward(hidden, attention_mask, w):
    mask = attention_mask.to(hidden.dtype)
    return (hidden @ w * mask).sum(1) / mask.sum(1)
