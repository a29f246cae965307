"""Multiplies by beta.

message: R is divided by beta
"""


def log_partition(ref_probs, rewards, beta):
    return torch.logsumexp(ref_probs.log() + rewards * beta, dim=-1)
