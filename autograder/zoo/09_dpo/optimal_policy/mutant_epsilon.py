"""An epsilon in the logarithm of the reference.

message: No epsilon
"""


def optimal_policy(ref_probs, rewards, beta):
    return torch.softmax((ref_probs + 1e-8).log() + rewards / beta, dim=-1)
