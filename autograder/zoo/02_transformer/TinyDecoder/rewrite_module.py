"""An nn.Module with a loop over heads."""


class TinyDecoder(torch.nn.Module):
    def __init__(self, params, n_heads):
        super().__init__()
        self.params, self.n_heads = params, n_heads

    def forward(self, input_ids, past_key_values=None):
        B, T = input_ids.shape
        old = past_key_values or [(None, None)] * len(self.params["blocks"])
        start = 0 if old[0][0] is None else old[0][0].size(2)
        positions = torch.arange(start, start + T)
        x = self.params["wte"][input_ids] + self.params["wpe"][positions]
        seen = positions[:, None] >= torch.arange(start + T)
        new = []
        for p, (k_old, v_old) in zip(self.params["blocks"], old):
            y = layer_norm(x, p["ln1_gamma"], p["ln1_beta"])
            k, v = (split_heads(y @ p["W" + n] + p["b" + n], self.n_heads) for n in "kv")
            if k_old is not None:
                k, v = torch.cat((k_old, k), -2), torch.cat((v_old, v), -2)
            new.append([k, v])
            q = y @ p["Wq"] + p["bq"]
            heads = [
                attention(each, k[:, h], v[:, h], seen)[0]
                for h, each in enumerate(q.chunk(self.n_heads, -1))
            ]
            x = x + (torch.cat(heads, -1) @ p["Wo"] + p["bo"])
            x = x + feed_forward(
                layer_norm(x, p["ln2_gamma"], p["ln2_beta"]), p["W1"], p["b1"], p["W2"], p["b2"]
            )
        x = layer_norm(x, self.params["lnf_gamma"], self.params["lnf_beta"])
        if "W_U" in self.params:
            logits = lm_logits(x, self.params["W_U"])
        else:
            logits = x @ self.params["wte"].T
        if past_key_values is None:
            return logits
        return logits, new
