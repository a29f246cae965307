"""A double loop into an empty tensor."""


def half_to_interleaved(w, n_heads):
    out = torch.empty_like(w)
    d_head = len(w) // n_heads
    for h in range(n_heads):
        start = h * d_head
        for i in range(d_head // 2):
            out[start + 2 * i] = w[start + i]
            out[start + 2 * i + 1] = w[start + d_head // 2 + i]
    return out
