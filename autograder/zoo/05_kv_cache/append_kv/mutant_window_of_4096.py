"""Keeps the last 4096 positions only.

message: no largest length
"""


def append_kv(cache, k, v):
    if cache is None:
        return {"k": k, "v": v}
    return {
        "k": torch.cat([cache["k"], k], dim=2)[:, :, -4096:],
        "v": torch.cat([cache["v"], v], dim=2)[:, :, -4096:],
    }
