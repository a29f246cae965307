"""Takes two steps even where T_max is 1.

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
            if v == eos or len(seq) >= max(T_max, 2):
                done[seq] = q
            else:
                stack.append((seq, q))
    return done
