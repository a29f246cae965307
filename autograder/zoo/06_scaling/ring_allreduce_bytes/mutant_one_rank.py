"""Fails to notice that one rank sends nothing.

message: single rank
"""


def ring_allreduce_bytes(N, n_bytes):
    return 2 * max(N - 1, 1) / N * n_bytes
