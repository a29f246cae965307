"""Ignores the model.

message: product over t
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == T_max or prefix[-1:] == (eos,):
            result[prefix] = p
        else:
            for v, q in enumerate([1 / V] * V):
                stack.append((prefix + (v,), p * q))
    return result
