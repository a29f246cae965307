"""From a list of shapes."""


def count_parameters(cfg):
    d, V = cfg["n_embd"], cfg["vocab_size"]
    f = cfg["n_inner"] if cfg["n_inner"] is not None else 4 * d
    block = [(d,)] * 4 + [(d, 3 * d), (3 * d,), (d, d), (d,), (d, f), (f,), (f, d), (d,)]
    rest = [(V, d), (cfg["n_positions"], d), (d,), (d,)]
    if not cfg["tie_word_embeddings"]:
        rest.append((d, V))
    return sum(math.prod(shape) for shape in block * cfg["n_layer"] + rest)
