"""Keeps the ids and computes everything again.

message: one pair (k, v) per block
"""


class TinyDecoder:
    def __init__(self, params, n_heads):
        self.params, self.n_heads = params, n_heads
    def __call__(self, input_ids, past_key_values=None):
        return self.forward(input_ids, past_key_values)
    def forward(self, input_ids, past_key_values=None):
        params = self.params
        T = input_ids.shape[1]
        if past_key_values:
            input_ids = torch.cat([past_key_values[0][0], input_ids], 1)
        x = params["wte"][input_ids] + params["wpe"][: input_ids.shape[1]]
        for p in params["blocks"]:
            x = transformer_block(x, p, self.n_heads)
        h = layer_norm(x, params["lnf_gamma"], params["lnf_beta"])
        logits = lm_logits(h, params["W_U"] if "W_U" in params else params["wte"].T)
        return logits if past_key_values is None else (logits[:, -T:], [(input_ids, input_ids)])
