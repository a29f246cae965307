"""Bytes of one token, times tokens."""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    per_layer = n_kv_heads * head_dim + n_kv_heads * head_dim
    return per_layer * n_layers * bytes_per_el * (batch * seq_len)
