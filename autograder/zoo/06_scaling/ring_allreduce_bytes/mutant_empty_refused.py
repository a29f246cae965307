"""Refuses an empty tensor.

message: raised
"""


def ring_allreduce_bytes(N, n_bytes):
    if not n_bytes:
        raise ValueError
    return Fraction(2 * (N - 1) * n_bytes, N)
