"""Puts a large negative number in the place of minus infinity.

message: however good it is
"""


def soft_optimal_policy(q, ref_logps, beta):
    return torch.softmax(ref_logps.clamp(min=-1e9) + q / beta, -1)
