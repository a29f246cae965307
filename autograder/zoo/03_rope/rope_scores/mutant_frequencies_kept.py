"""Keeps the frequencies of every width, whatever the base.

message: this call's base
"""
_kept = {}


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    d = q.shape[-1]
    if d not in _kept:
        _kept[d] = rope_angles(2, d, base)[1]
    w = _kept[d]
    return apply_rope(q, pos_q[..., None] * w) @ apply_rope(k, pos_k[..., None] * w).mT
