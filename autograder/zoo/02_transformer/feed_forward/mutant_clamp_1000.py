"""Caps the hidden layer.

message: ReLU once
"""


def feed_forward(x, W1, b1, W2, b2):
    return (x @ W1 + b1).clamp(0, 1000) @ W2 + b2
