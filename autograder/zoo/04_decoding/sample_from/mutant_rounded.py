"""Rounds u times V.

message: first index whose cumulative sum
"""


def sample_from(probs, u):
    return (u * probs.shape[-1]).floor().long()
