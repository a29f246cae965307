"""A new buffer of the final size, filled by slices."""


def append_kv(cache, k, v):
    past = 0 if cache is None else cache["k"].size(2)
    total = past + k.size(2)
    new = {}
    for name, fresh in (("k", k), ("v", v)):
        buffer = fresh.new_empty(fresh.size(0), fresh.size(1), total, fresh.size(3))
        if past:
            buffer[:, :, :past] = cache[name]
        buffer[:, :, past:] = fresh
        new[name] = buffer
    return new
