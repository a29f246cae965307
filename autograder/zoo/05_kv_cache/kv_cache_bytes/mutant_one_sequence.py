"""Forgets the batch.

message: batch is missing
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 2 * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el
