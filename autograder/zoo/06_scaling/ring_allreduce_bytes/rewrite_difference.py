"""Twice the tensor without one chunk."""


def ring_allreduce_bytes(N, n_bytes):
    return 2 * (n_bytes - n_bytes / N)
