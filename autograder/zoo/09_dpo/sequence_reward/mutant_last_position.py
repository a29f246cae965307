"""Reads the last position, padding or not.

message: which is padding here
"""


def sequence_reward(hidden, attention_mask, w):
    return hidden[:, -1] @ w
