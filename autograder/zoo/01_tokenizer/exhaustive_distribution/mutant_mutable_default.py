"""Keeps its results in a mutable default argument, from call to call.

message: cut off at T_max
"""


def exhaustive_distribution(step_fn, V, T_max, eos, prefix=(), p=1.0, result={}):
    if len(prefix) == T_max or prefix[-1:] == (eos,):
        result[prefix] = p
    else:
        for v, q in enumerate(step_fn(prefix)):
            exhaustive_distribution(step_fn, V, T_max, eos, prefix + (v,), p * q, result)
    return result
