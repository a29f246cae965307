"""Takes at most eight heads.

message: whatever they are
"""


def half_to_interleaved(w, n_heads):
    rows = w.shape[0]
    order = torch.arange(rows).view(min(n_heads, 8), 2, -1).transpose(1, 2).reshape(-1)
    return w[order]
