"""Returns a float.

message: whole number of bytes
"""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    return 2.0 * batch * seq_len * n_layers * n_kv_heads * head_dim * bytes_per_el
