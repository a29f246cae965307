"""The most probable continuation only.

message: cut off at T_max
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    result = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        if len(prefix) == T_max or prefix[-1:] == (eos,):
            result[prefix] = p
        else:
            probs = step_fn(prefix)
            for v in {eos, max(range(V), key=probs.__getitem__)}:
                stack.append((prefix + (v,), p * probs[v]))
    return result
