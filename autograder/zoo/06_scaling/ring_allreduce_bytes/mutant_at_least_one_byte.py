"""A chunk has at least one byte.

message: do not round
"""


def ring_allreduce_bytes(N, n_bytes):
    return 2 * (N - 1) * max(n_bytes / N, 1)
