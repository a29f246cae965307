"""Returns a tuple (k, v), as older versions of transformers did.

message: as a dictionary
"""


def append_kv(cache, k, v):
    if cache is None:
        return k, v
    return torch.cat([cache["k"], k], dim=2), torch.cat([cache["v"], v], dim=2)
