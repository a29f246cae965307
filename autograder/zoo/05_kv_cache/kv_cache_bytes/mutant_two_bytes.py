"""Assumes 16 bits per number.

message: use bytes_per_el
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 4 * batch * seq_len * n_layers * n_kv_heads * head_dim
