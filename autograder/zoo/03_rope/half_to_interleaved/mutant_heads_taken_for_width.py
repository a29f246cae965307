"""Takes n_heads for the width of a head.

message: inside each head
"""


def half_to_interleaved(w, n_heads):
    rows = torch.arange(w.shape[0])
    order = rows.view(-1, 2, n_heads // 2).transpose(1, 2).flatten() if n_heads % 2 == 0 else rows
    return w[order]
