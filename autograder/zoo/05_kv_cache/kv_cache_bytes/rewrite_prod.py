"""math.prod."""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return math.prod((2, batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el))
