"""Doubles a buffer now and then; k and v are views of it, further entries are its own."""


def append_kv(cache, k, v):
    past = 0 if cache is None else cache["k"].shape[2]
    total = past + k.shape[2]
    capacity = 1 << (total - 1).bit_length()
    new = {}
    for name, fresh in (("k", k), ("v", v)):
        buffer = fresh.new_zeros(*fresh.shape[:2], capacity, fresh.shape[3])
        if past:
            buffer[:, :, :past].copy_(cache[name])
        buffer[:, :, past:total].copy_(fresh)
        new[name] = buffer[:, :, :total]
        new["buffer_" + name] = buffer
    return new
