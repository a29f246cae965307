"""Stops at five tokens.

message: cut off at T_max
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    done = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        probs = step_fn(prefix)
        for v in range(V):
            seq, q = (*prefix, v), p * probs[v]
            if eos in seq or len(seq) == T_max or len(seq) > 4:
                done[seq] = q
            else:
                stack.append((seq, q))
    return done
