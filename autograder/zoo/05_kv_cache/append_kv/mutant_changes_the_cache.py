"""Appends into the dictionary that it was given.

message: in place
"""


def append_kv(cache, k, v):
    if cache is None:
        return {"k": k, "v": v}
    cache["k"] = torch.cat([cache["k"], k], dim=2)
    cache["v"] = torch.cat([cache["v"], v], dim=2)
    return cache
