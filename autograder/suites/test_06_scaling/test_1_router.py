"""Section 1 of 06_scaling. The router's gates."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, gates, scores, winners

# --- topk_gates ---------------------------------------------------------------------------


@exercise("topk_gates", weight=2)
def test_the_softmax_runs_over_the_winners(student: Student, draw: Draw):
    """Six tokens, seven experts, k = 3; then four tokens, five experts, k = 2."""
    for T, E, k in ((6, 7, 3), (4, 5, 2)):
        s = scores(draw, T, E)
        mask, p = winners(s, k), s.softmax(-1)
        least = p * winners(-s, k)
        expect(student.topk_gates(s, k)).close(
            gates(s, k),
            "Each row is the softmax over its k largest scores, at their places, and 0 elsewhere.",
            mistakes={
                "You took the softmax over all experts without renormalising.": p * mask,
                "You set scores to 0 instead of leaving them out: exp(0) is 1.":
                    (s * mask).softmax(-1),
                "You set scores to 0 before the softmax and masked without renormalising.":
                    (s * mask).softmax(-1) * mask,
                "You chose the smallest scores.": least / least.sum(-1, keepdim=True),
                "You negated the scores: the smallest win.": gates(-s, k),
                "You gave all winners the same gate.": mask.double() / k,
                "You did not leave out the losers.": p,
                "You took the softmax over the tokens.": s.softmax(0) * mask,
            },
        )  # fmt: skip


@exercise("topk_gates")
def test_one_winner_and_all_winners(student: Student, draw: Draw):
    """k = 1 and k = E; a single expert."""
    s = scores(draw, 5, 4)
    expect(student.topk_gates(s, 1)).close(
        winners(s, 1).double(),
        "With k = 1 the winner's gate is 1: a softmax over one number.",
        mistakes={"You did not renormalise over the winners.": s.softmax(-1) * winners(s, 1)},
    )
    expect(student.topk_gates(s, 4)).close(
        s.softmax(-1), "With k = E the gates are the softmax over all experts."
    )
    expect(student.topk_gates(s[:, :1], 1)).close(
        torch.ones(5, 1, dtype=DOUBLE), "A single expert gets the gate 1: the result is [T, 1]."
    )


@exercise("topk_gates")
def test_small_differences_decide(student: Student, draw: Draw):
    """Scores that differ by a few ten-thousandths."""
    s = scores(draw, 6, 7, shift=3000.0) / 1000
    expect(student.topk_gates(s, 3) > 0).equals(
        winners(s, 3),
        "The larger score wins, however small the difference: no noise, no rounding, no preference "
        "for an expert.",
    )


@exercise("topk_gates")
def test_exactly_k_are_chosen_among_equal_scores(student: Student, draw: Draw):
    """Rows in which all scores, or the middle ones, are equal."""
    a, b = float(draw.uniform(0.5, 1.5)), draw.integer(2, 5)
    s = torch.tensor([[a] * 6, [a + b, a, a, a, a, a - b]], dtype=DOUBLE)
    got = student.topk_gates(s, 3)
    expect(got).tensor((2, 6), DOUBLE, "Return a tensor of the shape and dtype of s.")
    expect((got > 0).sum(-1)).equals(
        torch.tensor([3, 3]),
        "With equal scores exactly k experts are chosen: a threshold at the k-th largest score "
        "lets more through.",
    )
    chosen = gates(torch.tensor([[a, a, a], [a + b, a, a]], dtype=DOUBLE), 3)
    expect(got.sort(-1, descending=True).values[:, :3]).close(
        chosen, "Among equal scores the gates are still the softmax over the k chosen."
    )


@exercise("topk_gates")
def test_large_and_negative_scores(student: Student, draw: Draw):
    """Scores around 900, around -2000, both in one batch, and far apart within a row."""
    high, low = scores(draw, 2, 5, 900.0), scores(draw, 3, 5, -2000.0)
    for s in (high, low, torch.cat([high, low]), scores(draw, 3, 5, -5.0)):
        expect(student.topk_gates(s, 2)).close(
            gates(s, 2),
            "Gates do not change when a number is added to all scores of a token, and must not "
            "overflow: use softmax, and give the losers -inf, not 0 or some negative number.",
        )
    s = torch.tensor([draw.shuffled([-3e6, 3e6, 3e6 - 1, 0.0])], dtype=DOUBLE)
    expect(student.topk_gates(s, 3)).close(
        gates(s, 3), "Scores that lie far apart must not give nan, and are not clipped."
    )


@exercise("topk_gates")
def test_single_precision_and_one_token(student: Student, draw: Draw):
    """One float32 token."""
    s = scores(draw, 1, 6)
    expect(student.topk_gates(s.float(), 4)).close(
        gates(s, 4).float(), "The gates have the dtype of s."
    )


@exercise("topk_gates")
def test_gates_are_differentiable(student: Student, draw: Draw):
    """The gradient in s of a weighted sum of the gates."""
    s, cotangent = scores(draw, 4, 5), draw.normal(4, 5)
    got = student.grad("topk_gates", s, 2, wrt=(0,), cotangent=cotangent)
    leaf = s.clone().requires_grad_()
    (want,) = torch.autograd.grad(gates(leaf, 2), leaf, cotangent)
    expect(got.requires_grad).true(
        got.requires_grad, "The gates must keep the graph: is there a detach, .data or no_grad?"
    )
    expect(got.grads[0]).close(
        want, "The gradient is that of the softmax over the winners; losers have none."
    )
