"""Decimal logarithm.

message: log10
"""


def log_partition(ref_probs, rewards, beta):
    return torch.logsumexp(ref_probs.log() + rewards / beta, dim=-1) / math.log(10)
