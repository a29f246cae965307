"""Transposes square weights.

message: weights are transposed
"""


def feed_forward(x, W1, b1, W2, b2):
    if W1.shape[0] == W1.shape[1]:
        W1, W2 = W1.T, W2.T
    return torch.relu(x @ W1 + b1) @ W2 + b2
