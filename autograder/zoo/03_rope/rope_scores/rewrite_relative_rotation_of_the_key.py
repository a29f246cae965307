"""Turns only the key, by n - m, for every pair."""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    frequencies = rope_angles(2, q.shape[-1], base)[1]
    offset = pos_k[..., None, :] - pos_q[..., :, None]
    keys = k[..., None, :, :].expand(*k.shape[:-2], q.shape[-2], *k.shape[-2:])
    turned = apply_rope(keys, offset[..., None] * frequencies)
    return torch.einsum("...ad,...abd->...ab", q, turned)
