"""Reads a mask of three dimensions as one mask per text.

message: read as the batch
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(W, b):
        return split_heads(x @ W if b is None else x @ W + b, n_heads)

    if mask is not None and mask.ndim == 3:
        mask = mask[:, None]
    out, _ = attention(project(Wq, bq), project(Wk, bk), project(Wv, bv), mask)
    out = merge_heads(out) @ Wo
    return out if bo is None else out + bo
