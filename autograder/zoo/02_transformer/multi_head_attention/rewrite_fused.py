"""One product for all three projections."""


def multi_head_attention(
    x, Wq, Wk, Wv, Wo, n_heads, mask=None, bq=None, bk=None, bv=None, bo=None
):
    sizes = [W.shape[1] for W in (Wq, Wk, Wv)]
    parts = (x @ torch.cat([Wq, Wk, Wv], dim=1)).split(sizes, dim=-1)
    q, k, v = (
        split_heads(part + (0 if b is None else b), n_heads)
        for part, b in zip(parts, (bq, bk, bv))
    )
    y = merge_heads(attention(q, k, v, mask)[0]) @ Wo
    return y + bo if bo is not None else y
