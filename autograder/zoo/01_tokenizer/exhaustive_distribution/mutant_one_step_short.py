"""Stops at T_max - 1 tokens.

message: cut off at T_max
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == max(1, T_max - 1) or prefix[-1:] == (eos,):
            result[prefix] = p
        else:
            for v, q in enumerate(step_fn(prefix)):
                stack.append((prefix + (v,), p * q))
    return result
