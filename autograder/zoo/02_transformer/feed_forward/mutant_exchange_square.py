"""Exchanges square matrices.

message: All widths equal
"""


def feed_forward(x, W1, b1, W2, b2):
    if W1.shape == W2.shape:
        W1, W2 = W2, W1
    return torch.relu(x @ W1 + b1) @ W2 + b2
