"""Has the order of the visible check built in: right for heads of width 6 only.

message: interleaved rope must give
"""


def half_to_interleaved(w, n_heads):
    d_head = w.shape[0] // n_heads
    order = torch.tensor([0, 3, 1, 4, 2, 5] + list(range(6, d_head)))
    rows = torch.arange(n_heads)[:, None] * d_head + order
    return w[rows.flatten()]
