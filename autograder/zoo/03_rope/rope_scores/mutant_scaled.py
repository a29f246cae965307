"""Divides by the square root of the head's width.

message: do not divide
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = apply_rope(k, pos_k[..., None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1) / q.shape[-1] ** 0.5
