"""Rounds the result.

message: do not round
"""


def ring_allreduce_bytes(N, n_bytes):
    return round(2 * (N - 1) * n_bytes / N)
