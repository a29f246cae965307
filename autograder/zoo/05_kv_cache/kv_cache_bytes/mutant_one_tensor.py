"""Forgets that keys and values are two tensors.

message: the factor 2 is missing
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return batch * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el
