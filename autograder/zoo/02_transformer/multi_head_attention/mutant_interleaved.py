"""Interleaves the heads.

message: heads are interleaved
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    def split_heads(x, n):
        return x.unflatten(-1, (-1, n)).permute(0, 3, 1, 2)

    def merge_heads(x):
        return x.permute(0, 2, 3, 1).flatten(2)

    q = split_heads(project(x, Wq, bq), n_heads)
    k = split_heads(project(x, Wk, bk), n_heads)
    v = split_heads(project(x, Wv, bv), n_heads)
    out, _ = attention(q, k, v, mask)
    return project(merge_heads(out), Wo, bo)
