"""A default argument that is a dictionary remembers the last v.

message: share nothing
"""


def sgd_step(p, g, state, lr, momentum=0.0, _cache={}):
    if state:
        _cache["v"] = state["v"]
    v = momentum * _cache.get("v", torch.zeros_like(p)) + g
    _cache["v"] = v
    return p - lr * v, {"v": v}
