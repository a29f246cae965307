"""Clamps R / beta at 6000.

message: no clamp
"""


def optimal_policy(ref, r, beta):
    return torch.softmax(ref.log() + (r / beta).clamp(-6000, 6000), -1)
