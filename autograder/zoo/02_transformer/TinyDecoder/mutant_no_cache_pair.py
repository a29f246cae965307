"""No cache.

message: return the tuple (logits, new list)
"""


class TinyDecoder:
    def __init__(self, params, n_heads):
        self.params, self.n_heads = params, n_heads
    def __call__(self, input_ids, past_key_values=None):
        return self.forward(input_ids, past_key_values)
    def forward(self, input_ids, past_key_values=None):
        params = self.params
        x = params["wte"][input_ids] + params["wpe"][: input_ids.shape[1]]
        for p in params["blocks"]:
            x = transformer_block(x, p, self.n_heads)
        h = layer_norm(x, params["lnf_gamma"], params["lnf_beta"])
        return lm_logits(h, params["W_U"] if "W_U" in params else params["wte"].T)
