"""Forgets to split.

message: one head only
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    q = split_heads(project(x, Wq, bq), 1)
    k = split_heads(project(x, Wk, bk), 1)
    v = split_heads(project(x, Wv, bv), 1)
    out, _ = attention(q, k, v, mask)
    return project(merge_heads(out), Wo, bo)
