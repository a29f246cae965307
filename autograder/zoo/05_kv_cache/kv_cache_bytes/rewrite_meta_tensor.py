"""Asks a tensor that takes no memory for its size."""


def kv_cache_bytes(batch, seq_len, n_layers, n_kv_heads, head_dim, bytes_per_el):
    shape = (2, n_layers, batch, n_kv_heads, seq_len, head_dim)
    return torch.empty(shape, dtype=torch.uint8, device="meta").numel() * bytes_per_el
