"""A ReLU at the end.

message: second ReLU
"""


def feed_forward(x, W1, b1, W2, b2):
    return torch.relu(torch.relu(x @ W1 + b1) @ W2 + b2)
