"""Unpacks three dimensions.

message: Your code raised ValueError
"""


def feed_forward(x, W1, b1, W2, b2):
    B, T, d = x.shape
    return torch.relu(x @ W1 + b1) @ W2 + b2
