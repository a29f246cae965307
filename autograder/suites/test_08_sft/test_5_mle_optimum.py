"""Section 5 of 08_sft. What maximum likelihood converges to."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE

# mle_optimum


def conditionals(data: list[tuple[int, ...]], V: int) -> dict[tuple[int, ...], torch.Tensor]:
    """For every prefix, the share of each token among the sequences that go on after it."""
    result = {}
    for prefix in {y[:t] for y in data for t in range(len(y))}:
        n = len(prefix)
        after = [y[n] for y in data if len(y) > n and y[:n] == prefix]
        result[prefix] = torch.tensor([after.count(v) / len(after) for v in range(V)], dtype=DOUBLE)
    return result


@exercise("mle_optimum", weight=2)
def test_the_optimum_is_the_empirical_conditional(student: Student, draw: Draw):
    """Repeated sequences of several lengths that end with EOS."""
    a, b, c = draw.shuffled([0, 2, 3])
    data = [(a, b, 1), (a, b, 1), (a, c, 1), (b, 1), (a, 1), (c, c, c, 1), (a, b, a, 1)]
    data = draw.shuffled(data)
    want = conditionals(data, 5)
    size = len(data)
    joint = {
        p: q * sum(y[: len(p)] == p and len(y) > len(p) for y in data) / size
        for p, q in want.items()
    }
    smooth = {
        p: (q * sum(y[: len(p)] == p and len(y) > len(p) for y in data) + 1)
        / (sum(y[: len(p)] == p and len(y) > len(p) for y in data) + 5)
        for p, q in want.items()
    }
    expect(student.mle_optimum(data, 5)).close(
        want,
        "After each prefix that occurs: the frequencies of the next token, EOS included; a float64 "
        "tensor of V numbers.",
        mistakes={
            "You returned joint probabilities: divide by the count of the prefix.": joint,
            "You smoothed the counts: what never happened has probability 0.": smooth,
            "You ignored the EOS: it is a token.": conditionals([y[:-1] for y in data], 5),
            "You dropped repetitions: they count.": conditionals(sorted(set(data)), 5),
        },
    )


@exercise("mle_optimum")
def test_only_prefixes_that_go_on_are_keys(student: Student, draw: Draw):
    """Sequences that were cut off, some the beginning of others; token 1 is one like any other."""
    a, b = draw.shuffled([1, draw.choice([0, 2, 3])])
    data = draw.shuffled([(a,), (a, b), (a, b), (a, b, a), (b, b), (a, a)])
    want = conditionals(data, 4)
    got = student.mle_optimum(data, 4)
    expect(isinstance(got, dict)).equals(True, "Return a dict from prefixes to tensors.")
    expect(set(got) == set(want)).equals(
        True,
        "The keys are exactly the prefixes, () included, that some token of the data follows; no "
        "id is special.",
    )
    expect(got).close(
        want,
        "Divide by how often the prefix goes on: a sequence that stops there does not count.",
    )


@exercise("mle_optimum")
def test_one_sequence_and_tokens_of_every_size(student: Student, draw: Draw):
    """A single sequence in a large vocabulary, then one-token answers."""
    V = draw.integer(30, 40)
    y = (V - 1, 0, 0, V - 1, 5, 0, 7)
    expect(student.mle_optimum([y], V)).close(
        conditionals([y], V),
        "One sequence gives a certain next token after each of its prefixes, however long.",
    )
    data = [(t,) for t in draw.shuffled([0, 0, 0, 1, 2, 2])]
    expect(student.mle_optimum(data, 3)).close(
        conditionals(data, 3), "Answers of one token: only the empty prefix is a key."
    )
