"""Uses the forbidden function, with the triangle in the wrong corner.

message: scaled_dot_product_attention
"""


def cached_attention_step(x_t, cache, params):
    past = 0 if cache is None else cache["k"].shape[2]
    R = params["rope"][past : past + x_t.shape[1]]
    q, k, v = (
        (x_t @ params[name]).unflatten(-1, (params["n_heads"], -1)).transpose(1, 2)
        for name in ("Wq", "Wk", "Wv")
    )
    cache = append_kv(cache, rotate(k, R), v)
    y = torch.nn.functional.scaled_dot_product_attention(
        rotate(q, R), cache["k"], cache["v"], is_causal=True
    )
    return y.transpose(1, 2).flatten(2) @ params["Wo"], cache
