"""Forgets b2.

message: b2 is missing
"""


def feed_forward(x, W1, b1, W2, b2):
    return torch.relu(x @ W1 + b1) @ W2
