"""Forgets the heads.

message: n_kv_heads is missing
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 2 * batch * seq_len * n_layers * head_dim * bytes_per_el
