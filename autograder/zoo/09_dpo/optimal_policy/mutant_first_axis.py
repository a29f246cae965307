"""Normalises over the prompts.

message: pi*(y) = pi_ref(y)
"""


def optimal_policy(ref_probs, rewards, beta):
    return torch.softmax(ref_probs.log() + rewards / beta, dim=0)
