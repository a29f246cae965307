"""Repairs nan and, without noticing, infinity.

message: do not clip
"""


def kl_divergence(p, q):
    return (p * (p.log() - q.log())).nan_to_num().sum(-1)
