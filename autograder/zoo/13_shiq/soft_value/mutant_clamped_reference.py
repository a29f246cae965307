"""Puts a large negative number in the place of minus infinity.

message: -inf stays -inf
"""


def soft_value(q, ref_logps, beta):
    return beta * torch.logsumexp(ref_logps.clamp(min=-1e9) + q / beta, -1)
