"""Returns float64 for float32 queries.

message: dtype of q
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    q, k = q.double(), k.double()
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = apply_rope(k, pos_k[..., None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1)
