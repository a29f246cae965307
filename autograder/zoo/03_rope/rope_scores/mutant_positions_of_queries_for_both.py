"""Turns the keys by the queries' positions where the lengths agree.

message: turned by its
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = apply_rope(k, (pos_q if pos_q.shape == pos_k.shape else pos_q[..., :1].expand(pos_k.shape))[..., None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1)
