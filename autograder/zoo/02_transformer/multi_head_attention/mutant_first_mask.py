"""Takes the mask of the first text for all.

message: anything broadcastable
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    q = split_heads(project(x, Wq, bq), n_heads)
    k = split_heads(project(x, Wk, bk), n_heads)
    v = split_heads(project(x, Wv, bv), n_heads)
    while mask is not None and mask.ndim > 2:
        mask = mask[0]
    out, _ = attention(q, k, v, mask)
    return project(merge_heads(out), Wo, bo)
