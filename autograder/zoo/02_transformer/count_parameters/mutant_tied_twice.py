"""Always counts the head.

message: tied head is counted twice
"""


def count_parameters(cfg):
    d, V = cfg["n_embd"], cfg["vocab_size"]
    d_ff = 4 * d if cfg["n_inner"] is None else cfg["n_inner"]
    attention = 4 * d * d + 4 * d
    ffn = 2 * d * d_ff + d_ff + d
    norms = 4 * d
    head = V * d
    tables = (V + cfg["n_positions"]) * d
    return tables + cfg["n_layer"] * (attention + ffn + norms) + 2 * d + head
