"""Section 3 of 12_grpo. A group instead of a critic."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, vector


def rewards_of(draw: Draw, B: int = 3, G: int = 5) -> torch.Tensor:
    """[B, G] rewards; each row has its own level and spread."""
    base = torch.linspace(-1.0, 1.3, G, dtype=DOUBLE) ** 3 + draw.uniform(-0.05, 0.05, B, G)
    level, spread = draw.uniform(-4, 4, B, 1), draw.uniform(0.5, 3.0, B, 1)
    shuffled = torch.stack([row[draw.shuffled(range(G))] for row in base])
    return level + spread * shuffled


def standardised(R: torch.Tensor, ddof: int, eps: float) -> torch.Tensor:
    """(R - mean) / (std + eps) by rows, through numpy."""
    rows = R.numpy()
    spread = rows.std(1, ddof=ddof, keepdims=True)
    return torch.from_numpy((rows - rows.mean(1, keepdims=True)) / (spread + eps))


@exercise("group_advantages", weight=2)
def test_each_group_is_centred_and_divided_by_its_deviation(student: Student, draw: Draw):
    """Three prompts, five completions, both deviations, a visible eps."""
    R, eps = rewards_of(draw), float(draw.uniform(0.2, 0.6))
    centred = R - R.mean(1, keepdim=True)
    for ddof in (0, 1):
        variance = R.var(1, keepdim=True, correction=ddof)
        expect(student.group_advantages(R, "std", ddof, eps)).close(
            standardised(R, ddof, eps),
            "The advantage is (R - mean) / (std + eps), with mean and deviation of the row; the "
            "variance divides by G - ddof.",
            mistakes={
                "You ignored ddof.": standardised(R, 1 - ddof, eps),
                "You added eps inside the root: add it to the deviation.":
                    centred / (variance + eps).sqrt(),
                "You added eps to the variance's root twice or divided by the variance.":
                    centred / (variance + eps),
                "You used mean and deviation of the whole batch.":
                    (R - R.mean()) / (R.std(correction=ddof) + eps),
                "You used the mean of the whole batch.":
                    (R - R.mean()) / (R.std(1, keepdim=True, correction=ddof) + eps),
                "You used the deviation of the whole batch.":
                    centred / (R.std(correction=ddof) + eps),
                "You normalised across prompts: a group is a row.":
                    standardised(R.T.contiguous(), ddof, eps).T,
                "You forgot eps.": standardised(R, ddof, 0.0),
                "You did not divide.": centred,
                "You did not subtract the mean.":
                    R / (R.std(1, keepdim=True, correction=ddof) + eps),
                "You left each sample out of its mean: that is RLOO.":
                    centred * 1.25 / (R.std(1, keepdim=True, correction=ddof) + eps),
            },
        )  # fmt: skip


@exercise("group_advantages")
def test_without_a_scale_the_rewards_are_centred(student: Student, draw: Draw):
    """scale = "none"; ddof and eps play no role."""
    R = rewards_of(draw, 2, 4)
    want = R - R.mean(1, keepdim=True)
    for extra in ({}, {"ddof": 0, "eps": 0.7}):
        expect(student.group_advantages(R, scale="none", **extra)).close(
            want,
            'scale="none" subtracts the mean of the group and does nothing else.',
            mistakes={
                "You divided by the deviation.": standardised(R, 1, 1e-4),
                "You divided by eps or by 1 + eps.": want / 1.7,
                "You left each sample out of its mean: that is RLOO.": want * 4 / 3,
            },
        )


@exercise("group_advantages")
def test_the_defaults_are_those_of_the_docstring(student: Student, draw: Draw):
    """Nothing but rewards, of a group whose rewards differ by little, so that eps shows."""
    R = 1.0 + rewards_of(draw, 2, 3) * 1e-3
    expect(student.group_advantages(R)).close(
        standardised(R, 1, 1e-4),
        'The defaults are scale="std", ddof=1 and eps=1e-4.',
        mistakes={
            "The default ddof is 1.": standardised(R, 0, 1e-4),
            "The default eps is 1e-4.": standardised(R, 1, 1e-8),
        },
        rtol=1e-7,
    )


@exercise("group_advantages", weight=2)
def test_equal_rewards_give_exactly_zero(student: Student, draw: Draw):
    """Groups that tie beside groups that do not; their mean is not exact in floating point."""
    R = rewards_of(draw, 6, 3)
    ties = draw.sample([0.1, 0.7, 1.0, 0.0, -0.3, 1e6 + 0.1], 3)
    for row, value in zip((1, 3, 4), ties, strict=True):
        R[row] = value
    R[5] = 0.1
    R[0, 1], R[2, 2] = R[0, 0], R[2, 1]  # two of three are equal: no tie
    for scale, ddof, eps in (("std", 1, 1e-4), ("std", 0, 0.0), ("std", 1, 0.0), ("none", 1, 1e-4)):
        got = expect(student.group_advantages(R, scale, ddof, eps)).tensor(
            (6, 3), DOUBLE, "Return [B, G] in the dtype of the rewards."
        )
        expect(got[[1, 3, 4, 5]]).true(
            bool((got[[1, 3, 4, 5]] == 0).all()),
            "A group of equal rewards has advantages exactly 0, also with eps = 0 and also where "
            "the mean of equal numbers is rounded: ask whether the rewards are equal.",
        )
        others = R[[0, 2]] - R[[0, 2]].mean(1, keepdim=True)
        want = others if scale == "none" else standardised(R[[0, 2]], ddof, eps)
        expect(got[[0, 2]]).close(want, "Groups that do not tie keep their advantages.")


@exercise("group_advantages")
def test_small_differences_are_not_ties(student: Student, draw: Draw):
    """Rewards that differ in the ninth decimal only, without and with eps."""
    R = 0.5 + 1e-9 * rewards_of(draw, 2, 4)
    for eps in (0.0, 1e-4):
        expect(student.group_advantages(R, "std", 0, eps)).close(
            standardised(R, 0, eps),
            "Small differences are differences: eps decides what they count, not a threshold.",
            rtol=1e-5,
        )


@exercise("group_advantages")
def test_level_and_scale_of_the_rewards_do_not_matter(student: Student, draw: Draw):
    """A shift and a positive factor; very many completions, and two; one prompt; float32."""
    R = rewards_of(draw, 2, 6)
    factor, shift = float(draw.uniform(3, 8)), float(draw.uniform(4e5, 6e5))
    want = standardised(R, 1, 0.0)
    expect(student.group_advantages(factor * R + shift, "std", 1, 0.0)).close(
        want,
        "With eps = 0, level and scale of the rewards of a group do not matter; subtract the mean "
        "before you square.",
    )
    many = torch.eye(150, dtype=DOUBLE)[draw.integer(0, 150)][None]
    expect(student.group_advantages(many, "std", 0, 0.0)).close(
        standardised(many, 0, 0.0),
        "One right answer among very many has a large advantage: nothing caps it.",
    )
    two = vector(float(draw.uniform(2, 3)), float(draw.uniform(0, 1)))[None]
    expect(student.group_advantages(two, "std", 0, 0.0)).close(
        vector(1.0, -1.0)[None], "Of two completions the better has 1 and the other -1 (ddof = 0)."
    )
    expect(student.group_advantages(R[:1].float(), "std", 1, 0.0)).close(
        want[:1].float(), "One prompt is a batch, too, and float32 stays float32.", rtol=1e-4
    )


@exercise("group_advantages")
def test_advantages_are_numbers_without_graph(student: Student, draw: Draw):
    """Rewards that carry a graph, with both scales."""
    R = rewards_of(draw, 2, 4)
    for scale in ("std", "none"):
        got = student.grad("group_advantages", R, scale, wrt=(0,),
                           cotangent=torch.ones(2, 4, dtype=DOUBLE))  # fmt: skip
        expect(got).true(
            not got.requires_grad, "Detach the result: an advantage is a number, not a graph."
        )


@exercise("group_advantages")
def test_a_single_completion_and_an_unknown_scale_raise(student: Student, draw: Draw):
    """Groups of one and of none, and scales that do not exist."""
    for B, G in ((3, 1), (1, 1), (2, 0)):
        for scale in ("std", "none"):
            raised = student.raised("group_advantages", draw.normal(B, G), scale)
            expect(raised).equals("ValueError", "A group of fewer than two raises ValueError.")
    for scale in ("variance", "STD", ""):
        raised = student.raised("group_advantages", rewards_of(draw), scale)
        expect(raised).equals("ValueError", 'Any scale but "std" and "none" raises ValueError.')
    R = draw.normal(1, 3)
    expect(student.group_advantages(R, "none")).close(
        R - R.mean(), "One prompt with several completions is a group: do not raise."
    )
