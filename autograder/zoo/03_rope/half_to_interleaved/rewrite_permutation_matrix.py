"""Multiplies by a permutation matrix: exact, since all other terms are zeros."""


def half_to_interleaved(w, n_heads):
    d_head = w.shape[0] // n_heads
    p = torch.zeros(d_head, d_head, dtype=w.dtype)
    for i in range(d_head // 2):
        p[2 * i, i] = p[2 * i + 1, i + d_head // 2] = 1
    return torch.block_diag(*[p] * n_heads) @ w
