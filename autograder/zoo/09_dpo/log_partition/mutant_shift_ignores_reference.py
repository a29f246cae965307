"""Subtracts the largest reward, which may belong to an impossible completion.

message: however large the reward
"""


def log_partition(ref_probs, rewards, beta):
    scores = rewards / beta
    top = scores.amax(dim=-1, keepdim=True)
    return top.squeeze(-1) + (ref_probs * (scores - top).exp()).sum(dim=-1).log()
