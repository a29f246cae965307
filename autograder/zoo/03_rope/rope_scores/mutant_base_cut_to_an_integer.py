"""Makes the base a whole number.

message: taken as it is
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    w = rope_angles(2, q.shape[-1], int(base))[1]
    return apply_rope(q, pos_q[..., None] * w) @ apply_rope(k, pos_k[..., None] * w).mT
