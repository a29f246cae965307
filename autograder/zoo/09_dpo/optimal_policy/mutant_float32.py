"""Computes in float32.

message: The dtype is not the expected one
"""


def optimal_policy(ref_probs, rewards, beta):
    scores = ref_probs.float().log() + rewards.float() / beta
    return torch.softmax(scores, dim=-1)
