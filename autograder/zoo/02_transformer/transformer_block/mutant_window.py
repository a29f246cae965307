"""Looks back eight tokens only.

message: all earlier tokens
"""


def transformer_block(x, params, n_heads):
    p, T = params, x.shape[1]
    t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
    weights = p["Wq"], p["Wk"], p["Wv"], p["Wo"]
    biases = p["bq"], p["bk"], p["bv"], p["bo"]
    t3 = x + multi_head_attention(t1, *weights, n_heads, causal_mask(T).triu(-8), *biases)
    t4 = layer_norm(t3, p["ln2_gamma"], p["ln2_beta"])
    return t3 + feed_forward(t4, p["W1"], p["b1"], p["W2"], p["b2"])
