"""Goes on after EOS.

message: went on after EOS
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == T_max:
            result[prefix] = p
        else:
            for v, q in enumerate(step_fn(prefix)):
                stack.append((prefix + (v,), p * q))
    return result
