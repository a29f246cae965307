"""GELU.

message: GELU
"""


def feed_forward(x, W1, b1, W2, b2):
    return torch.nn.functional.gelu(x @ W1 + b1) @ W2 + b2
