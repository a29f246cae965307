"""A helper for a layer with bias."""


def count_parameters(cfg):
    def linear(n_in, n_out):
        return n_in * n_out + n_out

    d = cfg["n_embd"]
    inner = cfg["n_inner"] if cfg["n_inner"] else 4 * d
    total = 2 * d + cfg["vocab_size"] * d + cfg["n_positions"] * d
    for _ in range(cfg["n_layer"]):
        total += linear(d, 3 * d) + linear(d, d) + linear(d, inner) + linear(inner, d) + 2 * 2 * d
    return total + (not cfg["tie_word_embeddings"]) * d * cfg["vocab_size"]
