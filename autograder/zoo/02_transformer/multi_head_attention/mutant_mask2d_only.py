"""The mask of the first head for all.

message: broadcastable
"""


def multi_head_attention(x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None):
    p = lambda x, W, b: x @ W if b is None else x @ W + b
    q, k, v = (split_heads(p(x, W, b), n_heads) for W, b in ((Wq, bq), (Wk, bk), (Wv, bv)))
    if mask is not None and mask.ndim == 4:
        mask = mask[:, :1]
    return p(merge_heads(attention(q, k, v, mask)[0]), Wo, bo)
