"""Estimates by sampling.

message: product over t
"""


def exhaustive_distribution(step_fn, V, T_max, eos):
    import random

    rng, n, counts = random.Random(0), 400, Counter()
    for _ in range(n):
        word = ()
        while len(word) < T_max and word[-1:] != (eos,):
            word += tuple(rng.choices(range(V), step_fn(word)))
        counts[word] += 1
    return {word: c / n for word, c in counts.items()}
