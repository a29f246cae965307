"""Uses the biases only if all are given.

message: A bias that is given is not added
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    if any(b is None for b in (bq, bk, bv, bo)):
        bq = bk = bv = bo = None
    q = split_heads(project(x, Wq, bq), n_heads)
    k = split_heads(project(x, Wk, bk), n_heads)
    v = split_heads(project(x, Wv, bv), n_heads)
    out, _ = attention(q, k, v, mask)
    return project(merge_heads(out), Wo, bo)
