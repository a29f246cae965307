"""The limit for many ranks.

message: instead of N - 1
"""


def ring_allreduce_bytes(N, n_bytes):
    return 2 * n_bytes
