"""Converts the cache to float32 to save memory.

message: dtype
"""


def append_kv(cache, k, v):
    k, v = k.float(), v.float()
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([cache["k"].float(), k], dim=2),
        "v": torch.cat([cache["v"].float(), v], dim=2),
    }
