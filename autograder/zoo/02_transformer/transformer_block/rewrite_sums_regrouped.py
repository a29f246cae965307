"""The three terms summed at the end."""


def transformer_block(x, params, n_heads):
    p = params
    mask = causal_mask(x.size(1), "cpu")
    attended = multi_head_attention(
        layer_norm(x, p["ln1_gamma"], p["ln1_beta"], eps=1e-5), p["Wq"], p["Wk"], p["Wv"],
        p["Wo"], n_heads=n_heads, mask=mask, bq=p["bq"], bk=p["bk"], bv=p["bv"], bo=p["bo"],
    )
    thought = feed_forward(
        layer_norm(attended + x, p["ln2_gamma"], p["ln2_beta"]), p["W1"], p["b1"], p["W2"], p["b2"]
    )
    return thought + attended + x
