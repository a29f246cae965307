"""Assumes that positions with three dimensions are [batch, 1, L].

message: those of the positions broadcast
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    pos_q = pos_q[:, :1] if pos_q.ndim == 3 else pos_q
    pos_k = pos_k[:, :1] if pos_k.ndim == 3 else pos_k
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = apply_rope(k, pos_k[..., None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1)
