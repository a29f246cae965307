"""Leaves the work to torch.

message: scaled_dot_product_attention
"""


def attention(q, k, v, mask=None):
    from torch.nn.functional import scaled_dot_product_attention

    eye = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-1], k.shape[-2])
    out = scaled_dot_product_attention(q, k, v, attn_mask=mask)
    return out, scaled_dot_product_attention(q, k, eye, attn_mask=mask)
