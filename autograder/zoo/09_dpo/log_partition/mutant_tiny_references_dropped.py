"""Takes reference probabilities below 1e-12 for zero.

message: no clamp
"""


def log_partition(ref, r, beta):
    ref = torch.where(ref < 1e-12, torch.zeros_like(ref), ref)
    return torch.logsumexp(ref.log() + r / beta, -1)
