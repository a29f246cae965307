"""Clamps the gap at 2000.

message: as large as the gap
"""


def reward_model_loss(a, b):
    return F.softplus((b - a).clamp(-2000, 2000)).mean()
