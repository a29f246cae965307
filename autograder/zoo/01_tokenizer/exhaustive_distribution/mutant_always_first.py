"""Asks the model with an empty prefix only.

message: first distribution at every step
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == T_max or prefix[-1:] == (eos,):
            result[prefix] = p
        else:
            for v, q in enumerate(step_fn(())):
                stack.append((prefix + (v,), p * q))
    return result
