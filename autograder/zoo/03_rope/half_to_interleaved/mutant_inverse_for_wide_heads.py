"""The opposite permutation in heads of width 64 and more.

message: opposite permutation
"""


def half_to_interleaved(w, n_heads):
    d_head = w.shape[0] // n_heads
    order = torch.arange(d_head).view(2, -1).T.flatten()
    if d_head >= 64:
        order = order.argsort()
    rows = torch.arange(n_heads)[:, None] * d_head + order
    return w[rows.flatten()]
