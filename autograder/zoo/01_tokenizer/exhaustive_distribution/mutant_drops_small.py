"""Sets small probabilities to 0.

message: A small probability is kept
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    done = {}
    stack = [((), 1.0)]
    while stack:
        prefix, p = stack.pop()
        probs = step_fn(prefix)
        for v in range(V):
            seq, q = (*prefix, v), p * probs[v]
            if v == eos or len(seq) == T_max:
                done[seq] = q if q > 1e-12 else 0.0
            else:
                stack.append((seq, q))
    return done
