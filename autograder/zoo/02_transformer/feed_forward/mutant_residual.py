"""Adds the tokens where it can.

message: ReLU
"""


def feed_forward(x, W1, b1, W2, b2):
    y = torch.relu(x @ W1 + b1) @ W2 + b2
    return y + x if y.shape == x.shape else y
