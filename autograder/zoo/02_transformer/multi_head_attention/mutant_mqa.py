"""All heads share the keys of the first.

message: put the heads side by side
"""


def multi_head_attention(x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None):
    p = lambda x, W, b: x @ W if b is None else x @ W + b
    q, k, v = (split_heads(p(x, W, b), n_heads) for W, b in ((Wq, bq), (Wk, bk), (Wv, bv)))
    return p(merge_heads(attention(q, k[:, :1].expand_as(k), v, mask)[0]), Wo, bo)
