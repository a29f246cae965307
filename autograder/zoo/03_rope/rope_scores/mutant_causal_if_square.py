"""Masks the future whenever there are as many queries as keys.

message: no key is masked
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    w = rope_angles(2, q.shape[-1], base)[1]
    turned_q, turned_k = apply_rope(q, pos_q[..., None] * w), apply_rope(k, pos_k[..., None] * w)
    scores = turned_q @ turned_k.mT
    return scores.tril() if scores.ndim == 2 and len(q) == len(k) else scores
