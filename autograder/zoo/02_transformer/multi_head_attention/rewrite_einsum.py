"""Everything in einsum, without the other exercises."""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    def heads(W, b):
        W = W.reshape(W.shape[0], n_heads, -1)
        y = torch.einsum("btm,mhd->bhtd", x, W)
        return y if b is None else y + b.reshape(n_heads, 1, -1)

    q, k, v = heads(Wq, bq), heads(Wk, bk), heads(Wv, bv)
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) / q.shape[-1] ** 0.5
    if mask is not None:
        scores = torch.where(mask, scores, -math.inf)
    y = torch.einsum("bhts,bhsd->bthd", scores.softmax(-1), v)
    y = torch.einsum("bthd,hdm->btm", y, Wo.reshape(n_heads, -1, Wo.shape[1]))
    return y if bo is None else y + bo
