"""Section 6 of 01_tokenizer. The distribution over all sequences."""

import math
from collections.abc import Callable
from itertools import product

from autograder.suite import Draw, Student, exercise, expect

from .oracles import Word, complete_sequences

# exhaustive_distribution ------------------------------------------------------------------


def tiny_model(draw: Draw, v: int, t_max: int) -> tuple[dict[Word, list[float]], Callable]:
    """A table of conditionals for every prefix, and the step function that reads it."""
    prefixes = [word for n in range(t_max + 2) for word in product(range(v), repeat=n)]
    table = {prefix: draw.probs(v).tolist() for prefix in prefixes}
    return table, lambda prefix: list(table[tuple(prefix)])


def probability(word: Word, table: dict[Word, list[float]]) -> float:
    return math.prod(table[word[:t]][token] for t, token in enumerate(word))


@exercise("exhaustive_distribution", weight=1)
def test_the_sequences_are_exactly_the_complete_ones(student: Student, draw: Draw):
    """The keys, for several vocabulary sizes, lengths and EOS ids."""
    cases = [(2, 4, draw.integer(0, 2)), (3, 3, 1), (4, 2, draw.integer(0, 4))]
    for v, t_max, eos in (*cases, (3, 1, draw.integer(0, 3)), (2, 6, draw.integer(0, 2))):
        table, step_fn = tiny_model(draw, v, t_max)
        got = student.exhaustive_distribution(step_fn, v, t_max, eos)
        expect(got).true(isinstance(got, dict), "Return a dict from sequences to probabilities.")
        words = complete_sequences(v, t_max, eos)
        keys = set(got)
        expect(keys).equals(
            set(words),
            "A sequence ends with its first EOS (which belongs to it), or is cut off at T_max "
            "tokens; keys are tuples of ints.",
            mistakes={
                "You forgot the sequences that are cut off at T_max.": {
                    word for word in words if eos in word
                },
                "You went on after EOS.": set(product(range(v), repeat=t_max)),
                "You left the EOS out of the sequences.": {
                    word[:-1] if eos in word else word for word in words
                },
                "You kept prefixes that are not complete.": set(words)
                | {word[:t] for word in words for t in range(1, len(word))},
            },
        )


@exercise("exhaustive_distribution", weight=2)
def test_a_probability_is_the_product_of_its_conditionals(student: Student, draw: Draw):
    """Every value, for a model whose conditionals differ for every prefix."""
    for v, t_max, eos in ((3, 3, draw.integer(0, 3)), (2, 4, 1)):
        table, step_fn = tiny_model(draw, v, t_max)
        words = complete_sequences(v, t_max, eos)
        want = {word: probability(word, table) for word in words}
        whole = {word: p for word, p in want.items() if eos in word}
        total = sum(whole.values())
        expect(student.exhaustive_distribution(step_fn, v, t_max, eos)).close(
            want,
            "pi(y) is the product over t of pi(y_t | y_<t), each asked with the prefix before it; "
            "nothing is rescaled, and values are floats.",
            mistakes={
                "You left out truncated sequences and rescaled the rest.": {
                    word: p / total for word, p in whole.items()
                },
                "You left out truncated sequences.": whole,
                "You left out the probability of the EOS.": {
                    word: p / table[word[:-1]][eos] if eos in word else p
                    for word, p in want.items()
                },
                "You used the first distribution at every step.": {
                    word: math.prod(table[()][token] for token in word) for word in words
                },
                "You returned log-probabilities.": {word: math.log(p) for word, p in want.items()},
            },
        )
    tiny = float(draw.uniform(1e-6, 9e-6))
    kinds: list[bool] = []

    def rarely_zero(prefix: Word) -> list[float]:
        kinds.append(isinstance(prefix, tuple))
        return [tiny, 0.25, 0.75 - tiny]

    got = student.exhaustive_distribution(rarely_zero, 3, 4, 2)
    expect(got).true(
        isinstance(got, dict) and (0, 0, 0, 0) in got, "A sequence is kept, however rare it is."
    )
    expect(got[(0, 0, 0, 0)]).close(
        tiny**4, "A small probability is kept as it is: no threshold, nothing added."
    )
    expect(kinds).true(
        bool(kinds) and all(kinds), "step_fn takes the prefix as a tuple of ints, not as a list."
    )


@exercise("exhaustive_distribution", weight=1)
def test_the_whole_adds_up_and_starts_like_the_model(student: Student, draw: Draw):
    """The total, and the marginal of the first token; also with a single step."""
    for t_max in (1, 3):
        table, step_fn = tiny_model(draw, 3, t_max)
        got = student.exhaustive_distribution(step_fn, 3, t_max, 2)
        expect(got).true(
            isinstance(got, dict)
            and all(isinstance(word, tuple) and word for word in got)
            and all(isinstance(p, float) for p in got.values()),
            "Return a dict from tuples of ints, none of them empty, to floats.",
        )
        first = [math.fsum(p for word, p in got.items() if word[0] == v) for v in range(3)]
        expect(first).close(
            table[()],
            "The sequences that begin with v have together the probability step_fn(())[v], so the "
            "whole adds up to 1: none may be missing or counted twice.",
        )
