"""Adds to a clone."""


def transformer_block(x, params, n_heads):
    p, h = params, x.clone()
    normed = layer_norm(h, p["ln1_gamma"], p["ln1_beta"])
    weights = [p[name] for name in ("Wq", "Wk", "Wv", "Wo")]
    biases = {name: p[name] for name in ("bq", "bk", "bv", "bo")}
    h = h + multi_head_attention(normed, *weights, n_heads, causal_mask(h.shape[1]), **biases)
    h += feed_forward(layer_norm(h, p["ln2_gamma"], p["ln2_beta"]),
                      p["W1"], p["b1"], p["W2"], p["b2"])
    return h
