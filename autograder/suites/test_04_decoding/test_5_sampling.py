"""Section 5 of 04_decoding. Drawing a token."""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, doubles

# sample_from


def sixteenths(*counts: int) -> torch.Tensor:
    """Probabilities in sixteenths, exact in binary."""
    return doubles(*counts) / 16


def first_above(counts, sixteenth: float) -> int:
    """First index whose running sum of whole counts is greater than u * 16."""
    sums = list(itertools.accumulate(counts))
    return next(i for i, total in enumerate(sums) if total > sixteenth)


@exercise("sample_from", weight=3)
def test_u_belongs_to_the_first_running_sum_above_it(student: Student, draw: Draw):
    """All sixteenths as u, and points between them, for probabilities in sixteenths."""
    counts = draw.shuffled([5, 0, 3, 1, 0, 7])
    grid = [i / 2 for i in range(32)]
    want = torch.tensor([first_above(counts, g) for g in grid])
    u = doubles(*grid) / 16
    at_least = torch.tensor([next(i for i, c in enumerate(itertools.accumulate(counts)) if c >= g)
                             for g in grid])  # fmt: skip
    expect(student.sample_from(sixteenths(*counts).expand(32, 6), u)).equals(
        want,
        "Return the first index whose cumulative sum is greater than u, as a long tensor.",
        mistakes={
            "A u that equals a cumulative sum belongs to the next token: it must be greater, "
            "not at least equal.": at_least,
            "You are one index too far.": want + 1,
            "You took the most probable token, whatever u is.":
                torch.full((32,), counts.index(7)),
            "You scaled the probabilities by u: that is no draw.":
                (sixteenths(*counts) * u[:, None]).argmax(-1),
        },
    )  # fmt: skip


@exercise("sample_from", weight=2)
def test_a_zero_never_draws_a_token_of_probability_zero(student: Student, draw: Draw):
    """u = 0, with one and with three impossible tokens in front."""
    for zeros in (1, 3):
        probs = torch.cat([torch.zeros(zeros, dtype=DOUBLE), draw.probs(4)])
        expect(student.sample_from(probs, torch.tensor(0.0, dtype=DOUBLE))).equals(
            torch.tensor(zeros),
            "With u = 0 the first token of positive probability is drawn: its cumulative sum is "
            "the first that is greater than 0.",
            mistakes={"You compare with at least: u = 0 must not draw a token of probability 0.":
                      torch.tensor(0)},
        )  # fmt: skip


@exercise("sample_from", weight=2)
def test_rounding_at_the_upper_end(student: Student, draw: Draw):
    """A u above the last cumulative sum, with and without impossible tokens at the end, behind
    a token of small probability."""
    for zeros in (0, 2):
        likely, small = draw.probs(2) * (1 - 3e-6), doubles(2e-7)
        probs = torch.cat([likely, small, torch.zeros(zeros, dtype=DOUBLE)]).float()
        u = torch.tensor(1 - 1e-7, dtype=DOUBLE)
        expect(student.sample_from(probs, u)).equals(
            torch.tensor(2),
            "If rounding leaves the last cumulative sum below u, draw the last token of positive "
            "probability.",
            mistakes={
                "The index lies outside the vocabulary.": torch.tensor(3 + zeros),
                "The last token may have been cut, and then it has probability 0.":
                    torch.tensor(2 + zeros),
                "Where no cumulative sum is greater than u, argmax of a comparison gives 0.":
                    torch.tensor(0),
            },
        )  # fmt: skip


@exercise("sample_from", weight=2)
def test_each_distribution_has_its_own_u(student: Student, draw: Draw):
    """Batches of shape [2, 3] and, square, [4]; the distributions differ."""
    for shape, size in (((2, 3), 5), ((4,), 4)):
        probs = draw.probs(*shape, size)
        tokens = draw.shuffled([i % size for i in range(torch.Size(shape).numel())])
        want = torch.tensor(tokens).view(shape)
        sums = probs.cumsum(-1)
        upper = sums.gather(-1, want[..., None])[..., 0]
        u = upper - probs.gather(-1, want[..., None])[..., 0] * draw.uniform(0.2, 0.8, *shape)
        got = student.sample_from(probs, u)
        expect(got).equals(
            want,
            "One token per distribution: row by row, with the u at the same place; long, and "
            "without the last dimension of probs.",
        )


@exercise("sample_from")
def test_no_precision_is_lost(student: Student, draw: Draw):
    """u a hair below and at a cumulative sum, in float64; and both dtypes mixed."""
    probs = sixteenths(*draw.choice([(4, 8, 4), (8, 4, 4), (2, 10, 4)]))
    edge = probs.cumsum(0)
    for index in (0, 1):
        hair = edge[index] - 1e-13
        expect([student.sample_from(probs, hair), student.sample_from(probs, edge[index])]).equals(
            [torch.tensor(index), torch.tensor(index + 1)],
            "Compare in the precision that you are given: u in float64 is not to be rounded.",
        )
    rare = torch.cat([doubles(0.0, 1e-12), draw.probs(2)])
    expect(student.sample_from(rare, torch.tensor(5e-13, dtype=DOUBLE))).equals(
        torch.tensor(1), "A small u draws a rare token at the start: nothing is to be clipped."
    )
    single = draw.probs(3).float()
    u = single.double().cumsum(0)[1] + single[2].double() / 2
    for mixed in ((single, u), (single.double(), u.float()), (single, u.float())):
        expect(student.sample_from(*mixed)).equals(
            torch.tensor(2), "Probabilities and u may have different floating dtypes."
        )


@exercise("sample_from")
def test_every_token_is_drawn_as_often_as_it_should(student: Student, draw: Draw):
    """A fine even grid of u: counts are exact; and a vocabulary of one."""
    counts = draw.shuffled([1, 6, 0, 4, 5])
    u = (torch.arange(320, dtype=DOUBLE) + 0.5) / 320
    got = student.sample_from(sixteenths(*counts).expand(320, 5), u[draw.shuffled(range(320))])
    expect(got).tensor((320,), torch.long, "Return a long tensor with one token per u.")
    expect([int((got == token).sum()) for token in range(5)]).equals(
        [20 * count for count in counts],
        "Over an even grid of u, each token must come as often as its probability says.",
    )
    expect(student.sample_from(torch.ones(2, 1, dtype=DOUBLE), doubles(0.0, 0.9))).equals(
        torch.tensor([0, 0]), "A vocabulary of one token has only that token to offer."
    )
