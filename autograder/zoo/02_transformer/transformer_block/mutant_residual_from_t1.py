"""The first residual from the normalised tokens.

message: first residual starts from the normalised
"""


def transformer_block(x, params, n_heads):
    p = params
    t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
    mask = causal_mask(x.shape[1], x.device)
    t2 = multi_head_attention(
        t1, p["Wq"], p["Wk"], p["Wv"], p["Wo"], n_heads, mask,
        p["bq"], p["bk"], p["bv"], p["bo"],
    )
    t3 = t1 + t2
    t4 = layer_norm(t3, p["ln2_gamma"], p["ln2_beta"])
    return t3 + feed_forward(t4, p["W1"], p["b1"], p["W2"], p["b2"])
