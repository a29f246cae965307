"""Counts bits.

message: not bits
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 16 * batch * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el
