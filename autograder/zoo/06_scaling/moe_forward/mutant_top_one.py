"""Uses the best expert only.

message: best expert only
"""


def moe_forward(h, W_r, b_r, experts, k):
    chosen = (h @ W_r.T + b_r).argmax(-1)
    return torch.stack([experts[int(e)](row[None])[0] for row, e in zip(h, chosen)])
