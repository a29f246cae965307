"""The EOS is the last id.

message: ends with its first EOS
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == T_max or prefix[-1:] == (V - 1,):
            result[prefix] = p
        else:
            for v, q in enumerate(step_fn(prefix)):
                stack.append((prefix + (v,), p * q))
    return result
