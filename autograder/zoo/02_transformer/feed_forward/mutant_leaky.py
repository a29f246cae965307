"""A leaky ReLU.

message: ReLU once
"""


def feed_forward(x, W1, b1, W2, b2):
    return torch.nn.functional.leaky_relu(x @ W1 + b1) @ W2 + b2
