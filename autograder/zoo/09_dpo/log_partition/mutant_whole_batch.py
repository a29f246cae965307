"""One Z for all prompts.

message: each prompt has its own Z
"""


def log_partition(ref_probs, rewards, beta):
    return torch.logsumexp((ref_probs.log() + rewards / beta).flatten(), dim=0)
