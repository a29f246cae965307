"""Adds b1 after the ReLU.

message: after the ReLU
"""


def feed_forward(x, W1, b1, W2, b2):
    return (torch.relu(x @ W1) + b1) @ W2 + b2
