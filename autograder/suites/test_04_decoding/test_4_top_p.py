"""Section 4 of 04_decoding. Top-p: the nucleus."""

import itertools

import torch
from transformers import TopPLogitsWarper

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, doubles

# top_p_filter


def spread(draw: Draw, *shape: int, size: int = 7) -> torch.Tensor:
    """Rows of `size` clearly different probabilities in random order."""
    ladder = doubles(0.31, 0.22, 0.16, 0.12, 0.09, 0.06, 0.04, 0.021, 0.013)[:size]
    rows = [
        ladder[draw.shuffled(range(size))] * draw.uniform(0.97, 1.03, size)
        for _ in range(torch.Size(shape).numel())
    ]
    rows = torch.stack(rows).view(*shape, size)
    return rows / rows.sum(-1, keepdim=True)


def between(probs: torch.Tensor, kept: int) -> float:
    """A p that a row reaches with `kept` tokens, far from every running sum."""
    sums = probs.sort(descending=True).values.cumsum(-1)
    before = float(sums[kept - 2]) if kept > 1 else 0.0
    return (before + float(sums[kept - 1])) / 2


def nucleus(probs: torch.Tensor, p: float) -> torch.Tensor:
    """The smallest set that reaches p, by trying all subsets; renormalised."""
    best: tuple[int, float, tuple[int, ...]] | None = None
    for count in range(1, len(probs) + 1):
        for chosen in itertools.combinations(range(len(probs)), count):
            mass = float(probs[list(chosen)].sum())
            if mass >= p and (best is None or mass > best[1]):
                best = (count, mass, chosen)
        if best:
            break
    result = torch.zeros_like(probs)
    index = list(best[2])
    result[index] = probs[index] / probs[index].sum()
    return result


@exercise("top_p_filter", weight=3)
def test_the_smallest_set_that_reaches_p_is_kept(student: Student, draw: Draw):
    """Nuclei of two, four and five of seven tokens, against a search over all subsets."""
    for kept in (2, 4, 5):
        probs = spread(draw)
        p = between(probs, kept)
        want = nucleus(probs, p)
        ordered = probs.sort(descending=True)
        fewer = torch.where(probs > ordered.values[kept - 1], probs, 0.0)
        more = torch.where(probs >= ordered.values[kept], probs, 0.0)
        got = student.top_p_filter(probs, p)
        expect(got).close(
            want,
            "Sort, keep the smallest number of tokens whose sum is at least p, renormalise, and "
            "give each probability back to its own token.",
            mistakes={
                "The token that crosses p belongs to the nucleus: you dropped it.":
                    fewer / fewer.sum(),
                "You kept one token more than needed.": more / more.sum(),
                "You forgot to renormalise.": torch.where(want > 0, probs, 0.0),
                "The probabilities are in sorted order: undo the sort.": want[ordered.indices],
                "You kept the least probable tokens.":
                    nucleus(probs.max() + probs.min() - probs, p),
            },
        )  # fmt: skip
        expect(got).true(
            bool((got[want == 0] == 0).all()), "Outside the nucleus a probability is exactly 0."
        )


@exercise("top_p_filter")
def test_one_dominant_token_stays_alone(student: Student, draw: Draw):
    """p below the largest probability, and a very small p."""
    probs = spread(draw)
    want = torch.eye(7, dtype=DOUBLE)[int(probs.argmax())]
    for p in (float(probs.max()) * 0.8, 1e-6):
        expect(student.top_p_filter(probs, p)).close(
            want,
            "The nucleus is never empty: if one token has more than p, it alone is kept, with "
            "probability 1.",
        )


@exercise("top_p_filter", weight=2)
def test_with_p_one_every_token_is_kept(student: Student, draw: Draw):
    """p = 1; rows whose running sum misses 1 by rounding, a small probability, and floats."""
    short = spread(draw, 3)
    short[0, int(short[0].argmin())] = 1e-7
    short = short / short.sum(-1, keepdim=True) * (1 - 1e-9)
    expect(student.top_p_filter(short, 1.0)).close(
        short / short.sum(-1, keepdim=True),
        "With p = 1 nothing is removed, also when rounding leaves the running sum below 1: then "
        "no index reaches p.",
        rtol=1e-10,
        scale=1e-7 * 1e3,
    )
    rare = torch.cat([spread(draw) * (1 - 3e-12), doubles(1e-12, 2e-12)])
    got = student.top_p_filter(rare, 1.0)
    expect(got).tensor((9,), DOUBLE, "Return probabilities of the same shape and dtype.")
    expect(got).true(
        bool((got > 0).all()),
        "With p = 1 every token of positive probability is kept, however rare it is.",
    )
    tenth = torch.full((2, 10), 0.1, dtype=torch.float32)
    expect(student.top_p_filter(tenth, 1)).close(
        tenth, "With p = 1 nothing is removed, in float32 too."
    )


@exercise("top_p_filter")
def test_p_close_to_one_still_cuts(student: Student, draw: Draw):
    """Probabilities that fall by factors of ten; p = 0.995 and then closer and closer to 1."""
    probs = doubles(0.9, 0.09, 0.009, 9e-4, 9e-5, 9e-6, 1e-6)[draw.shuffled(range(7))]
    for kept in (3, 4, 5, 6):
        expect(student.top_p_filter(probs, 1 - 5 * 10.0**-kept)).close(
            nucleus(probs, 1 - 5 * 10.0**-kept),
            "Compare the running sum with p itself: only p = 1 keeps everything, and no margin is "
            "added to p or taken from it.",
            rtol=1e-10,
        )


@exercise("top_p_filter", weight=2)
def test_each_row_has_a_nucleus_of_its_own(student: Student, draw: Draw):
    """Batches, one of them square, of rows with nuclei of several sizes; transformers' filter."""
    for shape, size in (((6,), 6), ((2, 3), 9)):
        probs = torch.stack([
            spread(draw, size=size) if i % 2 else spread(draw, size=size) ** 3
            for i in range(torch.Size(shape).numel())
        ])  # fmt: skip
        probs = probs / probs.sum(-1, keepdim=True)
        sums = probs.sort(descending=True).values.cumsum(-1)
        p = next(
            p for p in (0.8 + 0.005 * i for i in range(30)) if float((sums - p).abs().min()) > 2e-3
        )
        want = TopPLogitsWarper(p)(None, probs.log()).softmax(-1)
        expect(student.top_p_filter(probs.view(*shape, size), p)).close(
            want.view(*shape, size),
            "Sort, cut and renormalise along the last dimension, each row for itself.",
        )


@exercise("top_p_filter")
def test_zeros_in_the_input_stay_zero(student: Student, draw: Draw):
    """Distributions that have been cut before, with p = 1 and with a smaller p."""
    probs = torch.cat([spread(draw, 2, size=5), torch.zeros(2, 3, dtype=DOUBLE)], 1)
    probs = probs[:, draw.shuffled(range(8))]
    expect(student.top_p_filter(probs, 1.0)).close(
        probs, "Tokens of probability 0 stay at 0, and nothing becomes nan."
    )
    p = between(probs[0], 3)
    expect(student.top_p_filter(probs[0], p)).close(
        nucleus(probs[0], p), "Tokens of probability 0 stay at 0, and nothing becomes nan."
    )


@exercise("top_p_filter")
def test_single_precision_and_a_large_vocabulary(student: Student, draw: Draw):
    """Three thousand tokens in float32."""
    probs = (draw.normal(2, 3000) * 2).softmax(-1)
    sums = probs.sort(descending=True).values.cumsum(-1)
    ps = (0.96 + 1e-5 * i for i in range(2000))
    p = next(p for p in ps if float((sums - p).abs().min()) > 1e-5)
    want = TopPLogitsWarper(p)(None, probs.log()).softmax(-1)
    expect(student.top_p_filter(probs.float(), p)).close(
        want.float(),
        "The result has the dtype of the probabilities, and any vocabulary size will do.",
    )
