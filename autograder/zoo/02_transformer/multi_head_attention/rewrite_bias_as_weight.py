"""A bias is the weight of a constant feature."""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    one = torch.ones_like(x[..., :1])

    def project(x, W, b):
        b = torch.zeros_like(W[0]) if b is None else b
        return torch.cat([x, one], -1) @ torch.cat([W, b[None]])

    q, k, v = (
        split_heads(project(x, W, b), n_heads)
        for W, b in ((Wq, bq), (Wk, bk), (Wv, bv))
    )
    return project(merge_heads(attention(q, k, v, mask)[0]), Wo, bo)
