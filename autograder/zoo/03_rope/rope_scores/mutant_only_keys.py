"""Turns the keys and leaves the queries.

message: keys only
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = q
    turned_k = apply_rope(k, pos_k[..., None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1)
