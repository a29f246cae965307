"""The second layer sees a constant.

message: nothing is detached
"""


def feed_forward(x, W1, b1, W2, b2):
    return torch.relu(x @ W1 + b1).detach() @ W2 + b2
