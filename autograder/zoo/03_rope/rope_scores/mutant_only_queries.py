"""Turns the queries and leaves the keys.

message: queries only
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = k
    return turned_q @ turned_k.transpose(-2, -1)
