"""Looks at the first 64 pairs only.

message: all pairs
"""


def reward_model_loss(a, b):
    return F.softplus(b - a)[:64].mean()
