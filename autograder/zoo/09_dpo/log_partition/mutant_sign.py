"""Minus R.

message: The sign of R is wrong
"""


def log_partition(ref_probs, rewards, beta):
    return torch.logsumexp(ref_probs.log() - rewards / beta, dim=-1)
