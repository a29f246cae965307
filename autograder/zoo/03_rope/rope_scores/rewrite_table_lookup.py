"""Looks the angles up in a table that is long enough."""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    longest = int(max(pos_q.max(), pos_k.max())) + 1
    table = rope_angles(longest, q.shape[-1], base)
    return apply_rope(q, table[pos_q]) @ apply_rope(k, table[pos_k]).mT
