"""Divides by N - 1.

message: N
"""


def ring_allreduce_bytes(N, n_bytes):
    return 2 * (N - 1) * n_bytes / max(N - 1, 1)
