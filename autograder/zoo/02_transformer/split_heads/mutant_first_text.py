"""The first text only.

message: [B, H, T, d]
"""


def split_heads(x, n_heads):
    return torch.stack(x[0].chunk(n_heads, dim=-1))[None].expand(len(x), -1, -1, -1).clone()
