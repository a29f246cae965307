"""Takes d_model / n_heads as the width of a head.

message: Your code raised
"""


class TinyDecoder:
    def __init__(self, params, n_heads):
        self.params, self.n_heads = params, n_heads

    def __call__(self, input_ids, past_key_values=None):
        return self.forward(input_ids, past_key_values)

    def forward(self, input_ids, past_key_values=None):
        params, T = self.params, input_ids.shape[1]
        n_past = past_key_values[0][0].shape[2] if past_key_values else 0
        x = params["wte"][input_ids] + params["wpe"][n_past : n_past + T]
        mask = causal_mask(n_past + T, x.device)[n_past:]
        present = []
        for i, p in enumerate(params["blocks"]):
            t1 = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
            q, k, v = (
                (t1 @ p[f"W{name}"] + p[f"b{name}"])
                .view(*input_ids.shape, self.n_heads, x.shape[-1] // self.n_heads)
                .transpose(1, 2)
                for name in "qkv"
            )
            if past_key_values:
                k = torch.cat([past_key_values[i][0], k], dim=2)
                v = torch.cat([past_key_values[i][1], v], dim=2)
            present.append((k, v))
            x = x + merge_heads(attention(q, k, v, mask)[0]) @ p["Wo"] + p["bo"]
            t4 = layer_norm(x, p["ln2_gamma"], p["ln2_beta"])
            x = x + feed_forward(t4, p["W1"], p["b1"], p["W2"], p["b2"])
        h = layer_norm(x, params["lnf_gamma"], params["lnf_beta"])
        logits = lm_logits(h, params["W_U"] if "W_U" in params else params["wte"].T)
        return logits if past_key_values is None else (logits, present)
