"""Drops the batch dimension of a single pair.

message: one pair
"""


def dpo_loss_gradient(a, b, c, d, beta):
    g = -beta * torch.sigmoid(-beta * (a - c - b + d)) / len(a)
    return (g.squeeze(), -g.squeeze()) if len(a) == 1 else (g, -g)
