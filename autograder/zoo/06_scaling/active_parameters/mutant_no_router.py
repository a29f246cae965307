"""Leaves out the router.

message: left out the router
"""


def active_parameters(cfg):
    d, E, k = cfg["hidden_size"], cfg["num_local_experts"], cfg["num_experts_per_tok"]
    H, G, w = cfg["num_attention_heads"], cfg["num_key_value_heads"], cfg["head_dim"]
    embedding = cfg["vocab_size"] * d
    layer = 2 * d * H * w + 2 * d * G * w + 2 * d + k * 3 * d * cfg["intermediate_size"]
    return 2 * embedding + cfg["num_hidden_layers"] * layer + d
