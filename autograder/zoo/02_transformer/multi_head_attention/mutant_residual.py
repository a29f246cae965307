"""Adds the tokens.

message: put the heads side by side
"""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(x, W, b):
        return x @ W if b is None else x @ W + b

    q = split_heads(project(x, Wq, bq), n_heads)
    k = split_heads(project(x, Wk, bk), n_heads)
    v = split_heads(project(x, Wv, bv), n_heads)
    out, _ = attention(q, k, v, mask)
    y = project(merge_heads(out), Wo, bo)
    return y[..., : x.shape[-1]] + x[..., : y.shape[-1]] if y.shape == x.shape else y
