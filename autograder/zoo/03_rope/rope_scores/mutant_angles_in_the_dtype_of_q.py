"""float64 for float64 queries, but float32 angles for float32 queries.

message: even when the queries are float32
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    pos_q, pos_k = pos_q.to(q.dtype), pos_k.to(q.dtype)
    frequencies = rope_angles(2, q.shape[-1], base)[1].to(q.dtype)
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = apply_rope(k, pos_k[..., None] * frequencies)
    return turned_q @ turned_k.transpose(-2, -1)
