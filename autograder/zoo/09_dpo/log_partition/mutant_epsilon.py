"""An epsilon for the zeros of the reference shifts ln Z.

message: zeros of the reference are allowed
"""


def log_partition(ref_probs, rewards, beta):
    return torch.logsumexp((ref_probs + 1e-8).log() + rewards / beta, dim=-1)
