"""Clamps positions at the longest context of Llama 3.1.

message: However long
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    w = rope_angles(2, q.shape[-1], base)[1]
    pos_q, pos_k = pos_q.clamp(max=131_071), pos_k.clamp(max=131_071)
    return apply_rope(q, pos_q[..., None] * w) @ apply_rope(k, pos_k[..., None] * w).mT
