"""Returns float64.

message: Keep the dtype
"""


def feed_forward(x, W1, b1, W2, b2):
    return torch.relu(x @ W1 + b1) @ W2 + b2.double()
