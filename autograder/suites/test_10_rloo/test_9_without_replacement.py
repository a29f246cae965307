"""Section 9 of 10_rloo. The bias of samples drawn without replacement."""

import itertools

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, less_others, softmax_scores

# rloo_bias_without_replacement


@exercise("rloo_bias_without_replacement", weight=2)
def test_a_policy_that_is_not_uniform(student: Student, draw: Draw):
    """Four outcomes, pairs and triples, against a walk through the tree of draws."""
    probs = torch.tensor(draw.shuffled([0.1, 0.4, 0.2, 0.3]), dtype=DOUBLE)
    A = torch.tensor(draw.shuffled([3.0, -1.0, 0.5, 1.5]), dtype=DOUBLE)
    A = A + draw.uniform(-0.2, 0.2, 4)
    G = softmax_scores(probs)
    truth = probs * (A - probs @ A)
    for K in (3, 2):  # at K = 2 unnormalised weights happen to give no bias at all
        mean, with_group_mean, unnormalised = (torch.zeros(4, dtype=DOUBLE) for _ in range(3))
        stack = [((), 1.0, 1.0, 1.0)]
        while stack:
            y, chance, product, left = stack.pop()
            if len(y) < K:
                stack += [((*y, a), chance * probs[a] / left, product * probs[a], left - probs[a])
                          for a in range(4) if a not in y]  # fmt: skip
                continue
            r, scores = A[list(y)], G[list(y)]
            estimate = less_others(r[None])[0] @ scores / K
            mean += chance * estimate
            unnormalised += product * estimate
            with_group_mean += chance * (r - r.mean()) @ scores / K
        expect(student.rloo_bias_without_replacement(probs, A, K)).close(
            mean - truth,
            "Sum over ordered tuples of different outcomes, each with the product of p(y_i) over "
            "what was left when y_i was drawn; then subtract the gradient.",
            mistakes={
                "You returned the mean of the estimate: subtract the exact gradient.": mean,
                "The sign is reversed: bias is mean minus truth.": truth - mean,
                "You did not renormalise after each draw: divide by the mass that is left.":
                    unnormalised - truth,
                "You used the group mean as baseline: leave the own reward out.":
                    with_group_mean - truth,
                "You forgot the 1 / K of the estimate.": K * mean - truth,
                "You claim there is no bias: measure it.": torch.zeros(4, dtype=DOUBLE),
                "You used the renormalised product of probabilities: the draws come one by one.":
                    unnormalised / product_mass(probs, K) - truth,
            },
            scale=float(truth.abs().max()),
        )  # fmt: skip


def product_mass(probs: torch.Tensor, K: int) -> torch.Tensor:
    """Probability that K independent samples all differ."""
    tuples = itertools.permutations(range(len(probs)), K)
    return torch.stack([probs[list(y)].prod() for y in tuples]).sum()


@exercise("rloo_bias_without_replacement")
def test_equally_likely_outcomes_exaggerate_the_gradient(student: Student, draw: Draw):
    """Uniform policies: the mean is V / (V - 1) times the gradient, for every K up to V."""
    for V, K in ((3, 2), (4, 4), (5, 3)):
        probs = torch.full((V,), 1 / V, dtype=DOUBLE)
        A = draw.normal(V) + torch.arange(V, dtype=DOUBLE)
        truth = probs * (A - A.mean())
        expect(student.rloo_bias_without_replacement(probs, A, K)).close(
            truth / (V - 1),
            "For equally likely outcomes the mean is V / (V - 1) times the gradient, so the bias "
            "is the gradient over V - 1. Exchangeable samples are not enough.",
        )


@exercise("rloo_bias_without_replacement")
def test_a_nearly_certain_outcome_and_all_are_drawn(student: Student, draw: Draw):
    """K = V: every tuple holds all outcomes, so the estimate is the same for each."""
    probs = torch.tensor(draw.shuffled([0.9998, 0.00015, 0.00005]), dtype=DOUBLE)
    A = torch.tensor(draw.shuffled([3.0, -1.0, 0.5]), dtype=DOUBLE)
    estimate = less_others(A[None])[0] @ softmax_scores(probs) / 3
    expect(student.rloo_bias_without_replacement(probs, A, 3)).close(
        estimate - probs * (A - probs @ A),
        "With K = V the estimate does not depend on the order, so the weights must sum to one: "
        "divide by the mass that is left, however little it is.",
    )


@exercise("rloo_bias_without_replacement")
def test_impossible_numbers_of_samples_are_refused(student: Student, draw: Draw):
    """More different samples than outcomes, and a single one."""
    probs, A = draw.probs(3), draw.normal(3)
    for K in (4, 1):
        raised = student.raised("rloo_bias_without_replacement", probs, A, K)
        expect(raised).equals("ValueError", "Raise ValueError unless 2 <= K <= V.")
