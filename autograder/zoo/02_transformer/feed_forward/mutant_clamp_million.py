"""Caps the hidden units at a million.

message: ReLU once
"""


def feed_forward(x, W1, b1, W2, b2):
    return (x @ W1 + b1).clamp(0, 1e6) @ W2 + b2
