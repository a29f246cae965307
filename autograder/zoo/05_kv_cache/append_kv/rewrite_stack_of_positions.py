"""Collects single positions in a list and stacks them."""


def append_kv(cache, k, v):
    def joined(name, fresh):
        positions = [] if cache is None else list(cache[name].unbind(2))
        return torch.stack(positions + list(fresh.unbind(2)), dim=2)

    return {"k": joined("k", k), "v": joined("v", v)}
