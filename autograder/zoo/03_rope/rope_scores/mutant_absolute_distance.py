"""Turns every key by |m - n|.

message: the sign of the offset matters
"""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    distance = (pos_q[..., :, None] - pos_k[..., None, :]).abs()
    keys = k[..., None, :, :].expand(*k.shape[:-2], q.shape[-2], *k.shape[-2:])
    turned = apply_rope(keys, distance[..., None] * frequencies)
    return torch.einsum("...ad,...abd->...ab", q, turned)
