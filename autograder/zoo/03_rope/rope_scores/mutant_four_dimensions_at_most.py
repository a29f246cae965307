"""Spells the axes out and stops at four.

message: Leading dimensions may be any
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    turned_q = apply_rope(q, pos_q[..., None] * frequencies)
    turned_k = apply_rope(k, pos_k[..., None] * frequencies)
    if q.ndim == 4:
        return torch.einsum("bhqd,bhkd->bhqk", turned_q, turned_k)
    if q.ndim == 3:
        return torch.einsum("bqd,bkd->bqk", turned_q, turned_k)
    return torch.einsum("qd,kd->qk", turned_q.flatten(0, -2), turned_k.flatten(0, -2))
