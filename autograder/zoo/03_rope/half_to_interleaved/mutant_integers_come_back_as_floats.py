"""Fills a tensor of floats and forgets that weights may be integers.

message: shape and dtype of w
"""


def half_to_interleaved(w, n_heads):
    d_head = w.shape[0] // n_heads
    out = torch.zeros(w.shape, dtype=w.dtype if w.is_floating_point() else torch.float32)
    for row in range(w.shape[0]):
        head, j = divmod(row, d_head)
        out[row] = w[head * d_head + j // 2 + (j % 2) * (d_head // 2)]
    return out
