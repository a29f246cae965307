"""Counts step by step."""


def ring_allreduce_bytes(N, n_bytes):
    sent = Fraction(0)
    for phase in ("reduce", "gather"):
        for step in range(N - 1):
            sent += Fraction(n_bytes, N)
    return sent
