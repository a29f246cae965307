"""Asks with lists.

message: prefix as a tuple
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    done = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        probs = step_fn(list(prefix))
        for v in range(V):
            seq, q = (*prefix, v), p * probs[v]
            if v == eos or len(seq) == T_max:
                done[seq] = q
            else:
                stack.append((seq, q))
    return done
