"""Returns a list of pairs.

message: dict
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == T_max or prefix[-1:] == (eos,):
            result[prefix] = p
        else:
            for v, q in enumerate(step_fn(prefix)):
                stack.append((prefix + (v,), p * q))
    return list(result.items())
