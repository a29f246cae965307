"""Sums over the shapes of all weights."""


def active_parameters(cfg):
    d, f = cfg["hidden_size"], cfg["intermediate_size"]
    q, kv = cfg["num_attention_heads"] * cfg["head_dim"], cfg["num_key_value_heads"] * cfg["head_dim"]
    shapes = [(cfg["vocab_size"], d)] * 2 + [(d,)]
    for _ in range(cfg["num_hidden_layers"]):
        shapes += [(q, d), (kv, d), (kv, d), (d, q), (d,), (d,), (cfg["num_local_experts"], d)]
        shapes += [(f, d), (f, d), (d, f)] * cfg["num_experts_per_tok"]
    total = 0
    for shape in shapes:
        n = 1
        for size in shape:
            n *= size
        total += n
    return total
