"""Section 6 of 04_decoding. Speculative sampling: its rules, and the law that they give."""

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import DOUBLE, doubles

# acceptance_probability


def pair(draw: Draw, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two distributions with ratios p/q clearly below and above 1."""
    q = draw.probs(size)
    ratios = doubles(0.3, 1.7, 0.6, 2.2, 0.45, 1.3)[:size]
    p = q * ratios[draw.shuffled(range(size))] * draw.uniform(0.95, 1.05, size)
    return p / p.sum(), q


@exercise("acceptance_probability", weight=2)
def test_the_ratio_of_target_to_draft_capped_at_one(student: Student, draw: Draw):
    """Every token of a pair of distributions."""
    p, q = pair(draw, 5)
    ratios = (p / q).tolist()
    for token, ratio in enumerate(ratios):
        expect(student.acceptance_probability(p, q, token)).close(
            min(1.0, ratio),
            "Accept with probability min(1, p(x) / q(x)).",
            mistakes={
                "The ratio is upside down: it is target over draft.": min(1.0, 1 / ratio),
                "A probability is at most 1: take the minimum.": ratio,
                "This is a probability, not a decision.": float(ratio >= 1),
            },
            scale=1.0,
            scalar=True,
        )


@exercise("acceptance_probability")
def test_a_token_that_the_target_never_writes(student: Student, draw: Draw):
    """p = 0 at the token; p = q everywhere."""
    q = draw.probs(4)
    token = draw.integer(0, 4)
    p = q.clone()
    p[token] = 0.0
    p = p / p.sum()
    expect(student.acceptance_probability(p, q, token)).close(
        0.0, "Where p = 0 the token is never accepted.", scale=1.0, scalar=True
    )
    expect(student.acceptance_probability(q, q, token)).close(
        1.0, "Where p = q the token is always accepted.", scalar=True
    )


@exercise("acceptance_probability")
def test_tiny_probabilities_have_a_ratio_too(student: Student, draw: Draw):
    """Probabilities around 1e-14 and 1e-200."""
    for size in (1e-14, 1e-200):
        half = float(draw.uniform(0.3, 0.7))
        p, q = doubles(half * size, 1.0), doubles(size, 1.0)
        expect(student.acceptance_probability(p, q, 0)).close(
            half,
            "Divide p by q as they are: a small number added to q, or a lower bound, changes the "
            "law of rare tokens.",
            scalar=True,
        )


# residual_distribution


@exercise("residual_distribution", weight=2)
def test_the_positive_part_is_normalised(student: Student, draw: Draw):
    """Pairs of distributions over two, four and six tokens."""
    for size in (2, 4, 6):
        p, q = pair(draw, size)
        excess = (p - q).clamp(min=0)
        lack = (q - p).clamp(min=0)
        expect(student.residual_distribution(p, q)).close(
            excess / excess.sum(),
            "The residual is the positive part of p - q, divided by its sum.",
            mistakes={
                "You took absolute values: where q is larger, nothing is missing.":
                    (p - q).abs() / (p - q).abs().sum(),
                "You did not normalise.": excess,
                "You exchanged p and q.": lack / lack.sum(),
                "A fresh draw from p brings back what the draft has too much of.": p,
                "You applied a softmax: the positive parts are divided by their sum.":
                    (p - q).softmax(0),
            },
        )  # fmt: skip


@exercise("residual_distribution")
def test_draft_and_target_may_have_zeros(student: Student, draw: Draw):
    """Disjoint supports, where the residual is p; then one zero of q beside other tokens."""
    a, b, zero = draw.probs(3), draw.probs(2), torch.zeros(3, dtype=DOUBLE)
    p, q = torch.cat([a, zero]), torch.cat([zero, zero[:1], b])
    expect(student.residual_distribution(p, q)).close(
        p, "If the draft never writes what the target wants, the residual is p itself."
    )
    a, b, c = (0.1 + draw.uniform(0, 0.02, 3)).tolist()
    order = draw.shuffled(range(4))
    p = doubles(0.3 + a, 0.2 + b, 0.5 - a - b, 0.0)[order]
    q = doubles(0.3, 0.0, 0.5 + c, 0.2 - c)[order]
    want = doubles(a, 0.2 + b, 0.0, 0.0)[order]
    expect(student.residual_distribution(p, q)).close(
        want / want.sum(),
        "Tokens that the draft never proposes are in the residual, with all of p.",
    )


@exercise("residual_distribution", weight=2)
def test_equal_distributions_leave_some_distribution(student: Student, draw: Draw):
    """p = q, with and without a zero."""
    for p in (draw.probs(4), torch.cat([draw.probs(3), torch.zeros(1, dtype=DOUBLE)])):
        got = student.residual_distribution(p, p.clone())
        fits = expect(got).tensor(
            p.shape, DOUBLE, "For p = q return a float64 tensor of the same shape, too."
        )
        expect(got).true(
            bool((fits >= 0).all()) and abs(float(fits.sum()) - 1) < 1e-9,
            "For p = q nothing is left and the formula says 0/0: return any distribution, "
            "without nan, with sum 1.",
        )


@exercise("residual_distribution")
def test_a_small_difference_is_still_normalised(student: Student, draw: Draw):
    """Two distributions that differ by about 1e-9."""
    p = draw.probs(5)
    shift = doubles(2.0, -3.0, 1.0, 4.0, -4.0)[draw.shuffled(range(5))] * 2.0**-30
    q = p - shift
    excess = (p - q).clamp(min=0)
    expect(student.residual_distribution(p, q)).close(
        excess / excess.sum(),
        "However close p and q are, divide by the sum itself: no small number is added to it, "
        "and only p = q is special.",
    )


# speculative_output_distribution


def odd_accept(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
    """A wrong rule that tells p from q and one token from another."""
    return float(p[token] ** 2 / (p[token] ** 2 + 2 * q[token] ** 2)) / (1 + int(token) % 2)


def odd_residual(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """A wrong replacement that tells p from q."""
    raised = p**2 + 0.3 * q
    return raised / raised.sum()


def law(p, q, accept, residual) -> torch.Tensor:
    """The law of one token by listing (draft, accepted or replaced by)."""
    result = torch.zeros_like(p)
    replacement = residual(p, q)
    for drafted in range(len(p)):
        if q[drafted] > 0:
            chance = accept(p, q, drafted)
            result[drafted] += q[drafted] * chance
            for other in range(len(p)):
                result[other] += q[drafted] * (1 - chance) * replacement[other]
    return result


def right_accept(p, q, token):
    """The rule of the papers."""
    return min(1.0, float(p[token] / q[token]))


def right_residual(p, q):
    """The replacement of the papers."""
    return (p - q).clamp(min=0) / (p - q).clamp(min=0).sum()


@exercise("speculative_output_distribution", weight=2)
def test_the_two_rules_give_the_target(student: Student, draw: Draw):
    """No rules given, two pairs of distributions: the law is p to twelve digits."""
    for size in (3, 6):
        p, q = pair(draw, size)
        accepted = torch.minimum(p, q)
        residual = right_residual(p, q)
        expect(student.speculative_output_distribution(p, q)).close(
            p,
            "With the right rules the output has exactly the law p: accepted drafts, plus the "
            "mass of all rejections times the residual.",
            mistakes={
                "The residual must be weighted with the mass of the rejections.":
                    accepted + residual,
                "You counted accepted drafts only.": accepted,
                "You renormalised the accepted drafts instead of adding the replacements.":
                    accepted / accepted.sum(),
            },
            rtol=1e-12,
        )  # fmt: skip


@exercise("speculative_output_distribution", weight=2)
def test_a_wrong_replacement_shows(student: Student, draw: Draw):
    """A made-up replacement with the right acceptance."""
    p, q = pair(draw, 5)
    expect(student.speculative_output_distribution(p, q, None, odd_residual)).close(
        law(p, q, right_accept, odd_residual),
        "Use the replacement that was given: accepted mass, plus rejected mass times residual.",
        mistakes={"You ignored the rule that was given.": p},
    )


@exercise("speculative_output_distribution", weight=2)
def test_a_wrong_acceptance_shows(student: Student, draw: Draw):
    """A made-up acceptance with the right replacement, then both made up."""
    p, q = pair(draw, 5)
    expect(student.speculative_output_distribution(p, q, odd_accept)).close(
        law(p, q, odd_accept, right_residual),
        "Use the acceptance that was given, for each token: its drafts are kept with mass "
        "q(a) accept(p, q, a), and what is left of q is rejected.",
        mistakes={"You ignored the rule that was given.": p},
    )
    p, q = pair(draw, 4)
    got = student.speculative_output_distribution(p, q, accept=odd_accept, residual=odd_residual)
    expect(got).close(
        law(p, q, odd_accept, odd_residual),
        "The law is q(a) acc(a), plus the sum of q(b) (1 - acc(b)) over all b times res(a).",
    )


@exercise("speculative_output_distribution")
def test_tokens_that_are_never_drafted(student: Student, draw: Draw):
    """A draft with zeros, one of them where the target has a zero too; the rule watches."""
    p, q = pair(draw, 6)
    p[0] = q[0] = q[3] = 0.0
    order = draw.shuffled(range(6))
    p, q = (p / p.sum())[order], (q / q.sum())[order]
    expect(student.speculative_output_distribution(p, q)).close(
        p, "Where q = 0 there is nothing to accept, and 0/0 must not become nan."
    )
    rare = torch.cat([q * (1 - 1e-7), doubles(1e-7)])
    wide = torch.cat([p * 0.8, doubles(0.2)])
    expect(student.speculative_output_distribution(wide, rare, odd_accept, odd_residual)).close(
        law(wide, rare, odd_accept, odd_residual),
        "A token that is drafted very seldom is a draft, too: only q = 0 is left out.",
        rtol=1e-12,
    )
    asked: list[int] = []

    def watching(p: torch.Tensor, q: torch.Tensor, token: int) -> float:
        asked.append(int(token))
        return right_accept(p, q, token) if q[int(token)] > 0 else 1.0

    got = student.speculative_output_distribution(p, q, watching)
    expect(got).close(p, "The law of the output is p with the right acceptance, given as a rule.")
    expect(asked).true(
        all(q[token] > 0 for token in asked),
        "Ask accept only about tokens with q > 0: the draft never proposes the others.",
    )


@exercise("speculative_output_distribution")
def test_a_perfect_and_a_hopeless_draft(student: Student, draw: Draw):
    """p = q; then disjoint supports; then a rule that accepts everything."""
    p, q = pair(draw, 4)
    zero = torch.zeros(4, dtype=DOUBLE)
    expect(student.speculative_output_distribution(p, p.clone())).close(
        p, "If p = q everything is accepted, and the law is p."
    )
    expect(student.speculative_output_distribution(p, p.clone(), odd_accept, odd_residual)).close(
        law(p, p, odd_accept, odd_residual), "If p = q, the rules that were given still count."
    )
    left, right = torch.cat([p, zero]), torch.cat([zero, q])
    expect(student.speculative_output_distribution(left, right)).close(
        left, "If nothing is ever accepted, all tokens are replacements, and the law is still p."
    )
    expect(student.speculative_output_distribution(p, q, lambda p, q, a: 1.0)).close(
        q, "A rule that accepts everything gives the law of the draft."
    )
    expect(student.speculative_output_distribution(p, q, lambda p, q, a: 0.0, odd_residual)).close(
        odd_residual(p, q), "A rule that rejects everything gives the law of the replacement."
    )
