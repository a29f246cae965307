"""Adds the bias of the values after attention: the weights sum to 1."""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def project(W, b):
        return split_heads(x @ W if b is None else x @ W + b, n_heads)

    out, _ = attention(project(Wq, bq), project(Wk, bk), project(Wv, None), mask)
    out = merge_heads(out)
    if bv is not None:
        out = out + bv
    out = out @ Wo
    return out if bo is None else out + bo
