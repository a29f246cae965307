"""F.linear and clamp."""


def feed_forward(x, W1, b1, W2, b2):
    import torch.nn.functional as F

    return F.linear(F.linear(x, W1.T, b1).clamp(min=0), W2.mT, b2)
