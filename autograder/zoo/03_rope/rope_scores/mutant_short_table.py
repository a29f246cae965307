"""Looks the angles up in a table of 4096 positions, and starts over at its end.

message: turned by its position
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(4096, q.shape[-1], base)
    turned_q = apply_rope(q, frequencies[pos_q % 4096])
    turned_k = apply_rope(k, frequencies[pos_k % 4096])
    return turned_q @ turned_k.transpose(-2, -1)
