"""Rounds to single precision on the way.

message: exact int
"""


def active_parameters(cfg):
    d = cfg["hidden_size"]
    heads = 2 * cfg["num_attention_heads"] + 2 * cfg["num_key_value_heads"]
    layer = d * cfg["head_dim"] * heads + d * cfg["num_local_experts"] + cfg["num_experts_per_tok"] * 3 * d * cfg["intermediate_size"] + 2 * d
    return int(torch.tensor(cfg["num_hidden_layers"] * layer + 2 * cfg["vocab_size"] * d + d, dtype=torch.float32))
