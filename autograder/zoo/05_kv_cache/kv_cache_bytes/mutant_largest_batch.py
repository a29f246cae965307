"""Caps the batch at 1024 sequences.

message: no largest batch
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    per_sequence = 2 * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el
    return min(batch, 1024) * per_sequence
