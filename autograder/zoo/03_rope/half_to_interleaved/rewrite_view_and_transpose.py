"""Views the rows as heads, halves and pairs; -1 for whatever follows."""


def half_to_interleaved(w: Tensor, n_heads: int) -> Tensor:
    d_head = w.shape[0] // n_heads
    split = w.reshape(n_heads, 2, d_head // 2, -1)
    return split.transpose(1, 2).reshape(w.shape)
