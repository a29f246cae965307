"""Level by level."""


def exhaustive_distribution(step_fn, V, T_max, eos):
    done, level = {}, {(): 1.0}
    for _ in range(T_max):
        following = {}
        for prefix, p in level.items():
            probs = step_fn(prefix)
            for v in range(V):
                target = done if v == eos else following
                target[(*prefix, v)] = p * probs[v]
        level = following
    return {**done, **level}
