"""Forgets the layers.

message: n_layers is missing
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 2 * batch * seq_len * n_kv_heads * head_dim * bytes_per_el
