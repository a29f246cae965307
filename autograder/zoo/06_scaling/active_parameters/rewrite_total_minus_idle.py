"""The whole model minus the idle experts."""


def active_parameters(cfg):
    d, L = cfg["hidden_size"], cfg["num_hidden_layers"]
    expert = 3 * d * cfg["intermediate_size"]
    attention = 2 * d * cfg["head_dim"] * (cfg["num_attention_heads"] + cfg["num_key_value_heads"])
    E = cfg["num_local_experts"]
    total = L * (attention + d * (E + 2) + E * expert) + d * (2 * cfg["vocab_size"] + 1)
    return total - L * (E - cfg["num_experts_per_tok"]) * expert
