"""A recursive generator."""


def exhaustive_distribution(step_fn, V, T_max, eos):
    def words(prefix, p):
        for v, q in zip(range(V), step_fn(prefix)):
            word = prefix + (v,)
            if v == eos or len(word) == T_max:
                yield word, p * q
            else:
                yield from words(word, p * q)

    return dict(words((), 1.0))
