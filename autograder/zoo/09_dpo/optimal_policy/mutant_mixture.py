"""Averages reference and softmax.

message: the reference multiplies
"""


def optimal_policy(ref_probs, rewards, beta):
    return (ref_probs + torch.softmax(rewards / beta, dim=-1)) / 2
