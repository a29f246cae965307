"""Subtracts the largest reward, which may belong to an impossible completion.

message: however large its reward
"""


def optimal_policy(ref_probs, rewards, beta):
    scores = rewards / beta
    each = ref_probs * (scores - scores.max(-1, keepdim=True).values).exp()
    return each / each.sum(-1, keepdim=True)
