"""Keeps the last 32 positions only.

message: no largest length
"""


def append_kv(cache, k, v):
    if cache is not None:
        k, v = torch.cat([cache["k"], k], dim=2), torch.cat([cache["v"], v], dim=2)
    return {"k": k[:, :, -32:], "v": v[:, :, -32:]}
