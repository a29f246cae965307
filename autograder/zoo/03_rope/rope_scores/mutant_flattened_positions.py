"""Indexes with the flattened positions: crashes on a batch of its own positions.

message: raised
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = apply_rope(q, pos_q.flatten()[:, None] * frequencies)
    turned_k = apply_rope(k, pos_k.flatten()[:, None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1)
