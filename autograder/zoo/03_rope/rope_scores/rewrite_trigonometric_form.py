"""The sum over pairs of A cos + B sin, without any rotation."""


def rope_scores(q, k, pos_q, pos_k, base=10_000.0):
    steps = torch.arange(0, q.shape[-1], 2, dtype=torch.float64)
    frequencies = base ** (-steps / q.shape[-1])
    offset = (pos_k[..., None, :] - pos_q[..., :, None])[..., None] * frequencies
    a, b = q[..., :, None, 0::2], q[..., :, None, 1::2]
    c, d = k[..., None, :, 0::2], k[..., None, :, 1::2]
    along, across = a * c + b * d, b * c - a * d
    return (along * offset.cos() + across * offset.sin()).sum(-1).to(q.dtype)
