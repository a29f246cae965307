"""Values from the tokens as they are.

message: t3 = x + MHA(LN1(x))
"""


def transformer_block(x, params, n_heads):
    p = params
    t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
    q, k, v = (split_heads(y @ p["W" + n] + p["b" + n], n_heads) for n, y in (("q", t1), ("k", t1), ("v", x)))
    t3 = x + merge_heads(attention(q, k, v, causal_mask(x.shape[1]))[0]) @ p["Wo"] + p["bo"]
    return t3 + feed_forward(layer_norm(t3, p["ln2_gamma"], p["ln2_beta"]), p["W1"], p["b1"], p["W2"], p["b2"])
