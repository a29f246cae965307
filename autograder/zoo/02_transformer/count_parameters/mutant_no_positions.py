"""Forgets the table of positions.

message: table of positions
"""


def count_parameters(cfg):
    d, V = cfg["n_embd"], cfg["vocab_size"]
    d_ff = 4 * d if cfg["n_inner"] is None else cfg["n_inner"]
    attention = 4 * d * d + 4 * d
    ffn = 2 * d * d_ff + d_ff + d
    norms = 4 * d
    head = 0 if cfg["tie_word_embeddings"] else V * d
    tables = V * d
    return tables + cfg["n_layer"] * (attention + ffn + norms) + 2 * d + head
