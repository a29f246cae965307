"""Caps the length at 128K positions.

message: no longest text
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    seq_len = min(seq_len, 131_072)
    return 2 * batch * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el
