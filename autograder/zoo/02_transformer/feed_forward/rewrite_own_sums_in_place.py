"""Adds and cuts in place, in sums of its own."""


def feed_forward(x, W1, b1, W2, b2):
    hidden = (x @ W1).add_(b1).relu_()
    return (hidden @ W2).add_(b2)
