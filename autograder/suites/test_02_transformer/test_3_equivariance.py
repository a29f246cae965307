"""Section 3 of 02_transformer. Whether a layer is invariant or equivariant."""

import math

import torch
from torch.nn.functional import scaled_dot_product_attention as sdpa

from autograder.suite import Draw, Student, exercise, expect

# is_equivariant_report


def report(student: Student, layer, perm, *args) -> dict:
    """The student's report; checks its form."""
    got = student.is_equivariant_report(layer, torch.tensor(perm), *args)
    good = isinstance(got, dict) and set(got) == {"invariant", "equivariant"}
    expect(good and all(type(each) is bool for each in got.values())).equals(
        True, 'Return {"invariant": ..., "equivariant": ...} with two Python bools.'
    )
    return got


def answer(invariant: bool, equivariant: bool) -> dict:
    """A report."""
    return {"invariant": invariant, "equivariant": equivariant}


def attention_layer(draw: Draw, causal: bool, d: int):
    """A head with random weights of moderate size."""
    Wq, Wk, Wv = (draw.normal(d, d) / math.sqrt(d) for _ in range(3))
    return lambda x: sdpa(x @ Wq, x @ Wk, x @ Wv, is_causal=causal)


def derangement(draw: Draw, T: int) -> list[int]:
    """A cyclic permutation of T >= 3 tokens: no token stays, and it is not its own inverse."""
    order = draw.shuffled(range(T))
    perm = [0] * T
    for here, there in zip(order, order[1:] + order[:1], strict=True):
        perm[here] = there
    return perm


WORDS = {
    "The two words are exchanged: invariant is f(Px) = f(x), equivariant is f(Px) = P f(x).": (
        answer(True, False)
    ),
    "Both statements came out true: the input must be generic and the permutation the given one.": (
        answer(True, True)
    ),
    "Both came out false: is P f(x) taken with the same permutation as Px, and are rounding errors "
    "of 1e-15 tolerated?": answer(False, False),
}


@exercise("is_equivariant_report", weight=2)
def test_attention_without_a_mask_is_equivariant(student: Student, draw: Draw):
    """Random attention layers without a mask."""
    for T in (5, 4):
        got = report(student, attention_layer(draw, False, 8), derangement(draw, T))
        expect(got).equals(
            answer(False, True),
            "Without a mask attention is equivariant, f(Px) = P f(x), and not invariant.",
            mistakes=WORDS,
        )


@exercise("is_equivariant_report", weight=2)
def test_causal_attention_is_neither(student: Student, draw: Draw):
    """Random attention layers with the causal mask."""
    for T in (5, 3):
        got = report(student, attention_layer(draw, True, 8), derangement(draw, T))
        expect(got).equals(
            answer(False, False),
            "With the causal mask attention is neither: compare f(Px) with f(x) and with P f(x).",
            mistakes=WORDS,
        )


@exercise("is_equivariant_report", weight=2)
def test_invariant_layers_are_recognised(student: Student, draw: Draw):
    """The maximum over all tokens, and features that are sorted along time."""
    perm = derangement(draw, 5)
    for layer, want in (
        (lambda x: x.amax(1, keepdim=True).expand_as(x).clone(), answer(True, True)),
        (lambda x: x.sort(1)[0], answer(True, False)),
    ):
        expect(report(student, layer, perm)).equals(
            want,
            "Invariant means f(Px) = f(x): compare the two outputs entry by entry, as they stand.",
            mistakes={each: value for each, value in WORDS.items() if value != want},
        )


@exercise("is_equivariant_report")
def test_every_token_and_every_feature_counts(student: Student, draw: Draw):
    """Layers that put the mean everywhere but in one entry of one token."""
    perm = derangement(draw, 5)
    for position, feature in ((0, 0), (2, 3), (4, 7)):

        def layer(x, t=position, i=feature):
            out = x.mean(1, keepdim=True).repeat(1, x.shape[1], 1)
            out[:, t, i] = x[:, t, i]
            return out

        expect(report(student, layer, perm)).equals(
            answer(False, False), "Compare all tokens and all features, not some or their mean."
        )


@exercise("is_equivariant_report", weight=2)
def test_the_answer_belongs_to_the_given_permutation(student: Student, draw: Draw):
    """Differences of neighbours on a circle: cyclic shifts and others; the identity; one token."""

    def neighbours(x):
        return x - x.roll(1, dims=1)

    message = "Test the permutation that is given: Px is x[:, perm], and P f(x) is f(x)[:, perm]."
    T = 5
    for shift in draw.sample(range(1, T), 2):
        perm = [(i + shift) % T for i in range(T)]
        expect(report(student, neighbours, perm)).equals(answer(False, True), message)
    expect(report(student, neighbours, [1, 0, 2, 3, 4])).equals(answer(False, False), message)
    for perm in (list(range(4)), [0]):
        expect(report(student, attention_layer(draw, True, 8), perm)).equals(
            answer(True, True), "Under the identity nothing moves: both statements hold."
        )


@exercise("is_equivariant_report")
def test_small_differences_count_and_rounding_does_not(student: Student, draw: Draw):
    """A slight dependence on the position, and the same outputs very small and very large."""
    plain, perm = attention_layer(draw, False, 8), derangement(draw, 6)
    scales = (1.0, 1e-8, 1e8)
    for scale in scales:
        expect(report(student, lambda x, s=scale: s * plain(x), perm)).equals(
            answer(False, True),
            "Two outputs are equal up to 1e-9 times the largest entry: neither exact equality nor "
            "a fixed tolerance will do.",
        )
    for scale in scales:

        def tilted(x, s=scale):
            return s * (plain(x) + 1e-6 * torch.arange(x.shape[1], dtype=x.dtype)[:, None])

        expect(report(student, tilted, perm)).equals(
            answer(False, False),
            "A difference of a millionth of the output is a difference; the tolerance is 1e-9 "
            "times the largest entry.",
        )


@exercise("is_equivariant_report", weight=2)
def test_the_tolerance_is_a_billionth_of_the_largest_entry(student: Student, draw: Draw):
    """Constant layers in which one entry of the first token is slightly off."""
    perm = derangement(draw, 6)
    for feature, off, equivariant in ((0, 2e-9, False), (1, 5e-10, True)):

        def constant(x, i=feature, off=off):
            out = -torch.ones_like(x)
            out[..., 1] = 0.0
            out[:, 0, i] += off
            return out

        expect(report(student, constant, perm)).equals(
            answer(True, equivariant),
            "The largest absolute difference of two entries counts, against 1e-9 times the largest "
            "absolute entry of attn(x): no mean, no norm, no entry by itself, no other tolerance.",
        )


@exercise("is_equivariant_report")
def test_the_input_is_generic(student: Student, draw: Draw):
    """A running sum of differences between neighbouring features."""
    got = report(student, lambda x: (x[..., 1:] - x[..., :-1]).cumsum(1), derangement(draw, 5))
    expect(got).equals(
        answer(False, False),
        "Draw every entry of x by itself: with equal features or equal steps between them too many "
        "layers look invariant.",
    )


@exercise("is_equivariant_report")
def test_other_widths(student: Student, draw: Draw):
    """A layer for tokens of another width, with narrower outputs."""
    W = draw.normal(3, 2)

    def layer(x):
        return attended(x) @ W

    attended = attention_layer(draw, False, 3)
    expect(report(student, layer, derangement(draw, 4), 3)).equals(
        answer(False, True), "The tokens have d_model features, the argument, not always 8."
    )
