"""Remembers v outside the state, by the shape of the parameter.

message: share nothing
"""


_V2 = {}


def sgd_step(p, g, state, lr, momentum=0.0):
    key = tuple(p.shape)
    v = momentum * _V2[key] + g if key in _V2 else momentum * state["v"] + g if state else g.clone()
    _V2[key] = v
    return p - lr * v, {"v": v}
