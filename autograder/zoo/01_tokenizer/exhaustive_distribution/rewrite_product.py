"""All strings of length T_max, cut at the first EOS."""

from itertools import product


def exhaustive_distribution(step_fn, V, T_max, eos):
    table, result = {}, {}
    for word in product(range(V), repeat=T_max):
        if eos in word:
            word = word[: word.index(eos) + 1]
        if word in result:
            continue
        log_p = 0.0
        for t, v in enumerate(word):
            if word[:t] not in table:
                table[word[:t]] = step_fn(word[:t])
            log_p += math.log(table[word[:t]][v])
        result[word] = math.exp(log_p)
    return result
