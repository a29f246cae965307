"""Section 1 of 12_grpo. The divergence from the old policy."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, pair, vector


def mean_kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """Mean over rows of KL, by torch.distributions."""
    first, second = (torch.distributions.Categorical(logits=each) for each in (p, q))
    return torch.distributions.kl_divergence(first, second).mean()


def divergence(student: Student, old: torch.Tensor, new: torch.Tensor, delta: float = 1.0):
    """The first value that the student's check returns, and the second."""
    got = student.kl_constrained_check(old, new, delta)
    return pair(got, "Return the tuple (kl, inside).")


@exercise("kl_constrained_check", weight=2)
def test_the_old_policy_comes_first(student: Student, draw: Draw):
    """Three prompts, five completions, against torch.distributions."""
    old, new = draw.normal(3, 5), draw.normal(3, 5)
    p, q = old.log_softmax(-1), new.log_softmax(-1)
    terms = p.exp() * (p - q)
    want = mean_kl(old, new)
    expect(divergence(student, old, new)[0]).close(
        want,
        "The constraint is the mean over prompts of the sum over completions of "
        "pi_old ln(pi_old / pi).",
        mistakes={
            "You put the new policy first: the samples, and the weights, are those of pi_old.":
                mean_kl(new, old),
            "You added up the prompts: take their mean.": 3 * want,
            "You took the largest prompt: the constraint is on the mean.": terms.sum(1).max(),
            "You averaged over the completions as well: they are summed.": want / 5,
            "You returned one value per prompt: take their mean.": terms.sum(1),
            "The sign is reversed.": -want,
            "You took the mean of k1 with equal weights: weigh with pi_old.": (p - q).mean(),
            "You averaged both directions.": (want + mean_kl(new, old)) / 2,
        },
    )  # fmt: skip


@exercise("kl_constrained_check")
def test_inside_compares_the_mean_with_delta(student: Student, draw: Draw):
    """A radius a little smaller, then larger than the mean; one prompt is far out; a tiny step."""
    old = draw.normal(4, 3)
    new = old + 0.1 * draw.normal(4, 3)
    new[draw.integer(0, 4)] += vector(3.0, -1.0, 0.0)
    kl = float(mean_kl(old, new))
    for factor, want in ((0.9, False), (1.1, True)):
        expect(divergence(student, old, new, factor * kl)[1]).equals(
            want,
            "inside is the Python bool kl <= delta, with the mean over the prompts: one prompt may "
            "be outside.",
        )
    value = expect(divergence(student, old, new)[0]).tensor((), DOUBLE, "kl is a 0-d tensor.")
    expect(divergence(student, old, new, float(value))[1]).equals(
        True, "The constraint is kl <= delta: on the border it holds."
    )
    close_by = old + 1e-4 * draw.normal(4, 3)
    kl = float(mean_kl(old, close_by))
    for factor, want in ((0.9, False), (1.1, True)):
        expect(divergence(student, old, close_by, factor * kl)[1]).equals(
            want, "The comparison with delta is exact, without any tolerance: delta may be tiny."
        )
    expect(divergence(student, old, old.clone(), 1e-6)[1]).equals(
        True, "A policy that has not moved is inside every trust region."
    )


@exercise("kl_constrained_check")
def test_logits_far_apart_have_a_finite_divergence(student: Student, draw: Draw):
    """One prompt; logits so far apart that a softmax underflows."""
    gap = float(draw.uniform(900, 1100))
    old, new = vector(gap, 0.0, 0.0)[None], vector(0.0, gap, 0.0)[None]
    expect(divergence(student, old, new)[0]).close(
        torch.tensor(gap, dtype=DOUBLE),
        "Finite logits have a finite divergence: use log_softmax, the logarithm of a probability "
        "that underflowed is -inf, and do not clip it.",
    )


@exercise("kl_constrained_check")
def test_the_gradient_reaches_the_new_logits(student: Student, draw: Draw):
    """The derivative with respect to the new logits, which is (pi - pi_old) / B; float32 too."""
    old, new = draw.normal(2, 4), draw.normal(2, 4)
    got = student.grad("kl_constrained_check", old, new, 0.5, wrt=(1,), item=0)
    expect(got.grads[1]).close(
        (new.softmax(-1) - old.softmax(-1)) / 2,
        "The divergence must be differentiable in the new logits: keep the graph.",
    )
    expect(divergence(student, old.float(), new.float())[0]).close(
        mean_kl(old, new).float(), "The divergence has the dtype of the logits.", rtol=1e-5,
        scale=1.0,
    )  # fmt: skip
