"""Adds bq to keys and values as well.

message: Your code raised RuntimeError
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    q = split_heads(project(x, Wq, bq), n_heads)
    k = split_heads(project(x, Wk, bk), n_heads)
    v = split_heads(project(x, Wv, bq), n_heads)
    out, _ = attention(q, k, v, mask)
    return project(merge_heads(out), Wo, bo)
