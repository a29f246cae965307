"""12 d^2 + 13 d, corrected for n_inner."""


def count_parameters(cfg):
    d, n = cfg["n_embd"], cfg["n_layer"]
    inner = cfg["n_inner"] or 4 * d
    per_block = 12 * d**2 + 13 * d + (inner - 4 * d) * (2 * d + 1)
    heads = 1 if cfg["tie_word_embeddings"] else 2
    return d * (heads * cfg["vocab_size"] + cfg["n_positions"] + 2) + n * per_block
