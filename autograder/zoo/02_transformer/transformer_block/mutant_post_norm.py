"""The block of 2017.

message: post-norm
"""


def transformer_block(x, params, n_heads):
    p = params
    t1 = x
    mask = causal_mask(x.shape[1], x.device)
    t2 = multi_head_attention(
        t1, p["Wq"], p["Wk"], p["Wv"], p["Wo"], n_heads, mask,
        p["bq"], p["bk"], p["bv"], p["bo"],
    )
    t3 = layer_norm(x + t2, p["ln1_gamma"], p["ln1_beta"])
    t4 = t3
    h = t3 + feed_forward(t4, p["W1"], p["b1"], p["W2"], p["b2"])
    return layer_norm(h, p["ln2_gamma"], p["ln2_beta"])
