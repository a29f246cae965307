"""Without the other exercises."""


class TinyDecoder:
    def __init__(self, params, n_heads):
        self.params, self.n_heads = params, n_heads

    def __call__(self, input_ids, past_key_values=None):
        return self.forward(input_ids, past_key_values)

    def norm(self, x, gamma, beta):
        c = x - x.mean(-1, keepdim=True)
        return c / torch.sqrt(c.square().mean(-1, keepdim=True) + 1e-5) * gamma + beta

    def forward(self, input_ids, past_key_values=None):
        P, H = self.params, self.n_heads
        B, T = input_ids.shape
        past = 0 if not past_key_values else past_key_values[0][1].shape[-2]
        x = torch.nn.functional.embedding(input_ids, P["wte"])
        x = x + P["wpe"].narrow(0, past, T)
        hide = torch.full((T, past + T), -math.inf, dtype=x.dtype).triu(past + 1)
        cache = []
        for i, p in enumerate(P["blocks"]):
            y = self.norm(x, p["ln1_gamma"], p["ln1_beta"])
            W = torch.cat([p["Wq"], p["Wk"], p["Wv"]], 1)
            b = torch.cat([p["bq"], p["bk"], p["bv"]])
            q, k, v = (y @ W + b).view(B, T, 3, H, -1).permute(2, 0, 3, 1, 4)
            if past:
                k = torch.cat([past_key_values[i][0], k], 2)
                v = torch.cat([past_key_values[i][1], v], 2)
            cache += [(k, v)]
            a = (q @ k.mT / math.sqrt(q.size(-1)) + hide).softmax(-1) @ v
            x = x + a.transpose(1, 2).reshape(B, T, -1) @ p["Wo"] + p["bo"]
            y = self.norm(x, p["ln2_gamma"], p["ln2_beta"])
            x = x + torch.relu(y @ p["W1"] + p["b1"]) @ p["W2"] + p["b2"]
        head = P["W_U"] if "W_U" in P else P["wte"].t()
        logits = self.norm(x, P["lnf_gamma"], P["lnf_beta"]) @ head
        return (logits, cache) if past_key_values is not None else logits
