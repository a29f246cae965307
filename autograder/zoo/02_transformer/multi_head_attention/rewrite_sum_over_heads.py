"""A loop over heads; each goes through its rows of Wo."""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    q, k, v = x @ Wq, x @ Wk, x @ Wv
    q = q if bq is None else q + bq
    k = k if bk is None else k + bk
    v = v if bv is None else v + bv
    if mask is not None:
        mask = mask.expand(x.shape[0], n_heads, x.shape[1], x.shape[1])
    y = torch.zeros(x.shape[0], x.shape[1], Wo.shape[1], dtype=x.dtype)
    rows = Wo.chunk(n_heads)
    parts = zip(q.chunk(n_heads, -1), k.chunk(n_heads, -1), v.chunk(n_heads, -1))
    for h, (a, b, c) in enumerate(parts):
        head, _ = attention(a, b, c, None if mask is None else mask[:, h])
        y = y + head @ rows[h]
    return y if bo is None else y + bo
