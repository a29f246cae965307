"""Section 8 of 09_dpo. IPO: its loss, two arms, and the closed form."""

import math

import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, gap_of, optimum, pairs_of_logps, preferences, scalar, sigma

# --- ipo_loss -----------------------------------------------------------------------------------


@exercise("ipo_loss", weight=2)
def test_ipo_loss_of_a_batch(student: Student, draw: Draw):
    """Pairs of both orders, mean by default."""
    pairs, tau = pairs_of_logps(draw, 7), draw.choice([0.15, 0.3, 0.8])
    gap = gap_of(pairs)
    target = 1 / (2 * tau)
    expect(student.ipo_loss(*pairs, tau)).close(
        ((gap - target) ** 2).mean(),
        "The loss is the mean of (gap - 1 / (2 tau))^2 with sums over tokens.",
        mistakes={
            "The target is 1 / (2 tau), not 1 / tau.": ((gap - 2 * target) ** 2).mean(),
            "The target is 1 / (2 tau), not tau / 2.": ((gap - tau / 2) ** 2).mean(),
            "This is tau^2 times the loss: (1/2 - tau gap)^2 is another scaling.": (
                ((0.5 - tau * gap) ** 2).mean()
            ),
            "You summed over the pairs: the default is the mean.": ((gap - target) ** 2).sum(),
            "The reference is missing.": ((pairs[0] - pairs[1] - target) ** 2).mean(),
            "You swapped chosen and rejected.": ((-gap - target) ** 2).mean(),
            "You stop at the target: IPO also pulls back what is beyond it.": (
                (target - gap).clamp_min(0) ** 2
            ).mean(),
        },
    )


@exercise("ipo_loss")
def test_tau_of_any_size(student: Student, draw: Draw):
    """A tau of 0.001, whose target is far away, and one of 20."""
    pairs = pairs_of_logps(draw, 5)
    for tau in (0.001, 20.0):
        expect(student.ipo_loss(*pairs, tau)).close(
            ((gap_of(pairs) - 1 / (2 * tau)) ** 2).mean(),
            "The target is 1 / (2 tau) for every tau, however far away: no cap.",
        )


@exercise("ipo_loss")
def test_target_is_a_two_sided_minimum(student: Student, draw: Draw):
    """Gaps at the target and equally far on either side of it."""
    tau = draw.choice([0.15, 0.3, 0.8])
    off = float(draw.uniform(300, 400, 1)[0])
    gap = 1 / (2 * tau) + torch.tensor([0.0, off, -off], dtype=F64)
    zero, ref = torch.zeros(3, dtype=F64), -draw.uniform(5, 30, 3)
    expect(student.ipo_loss(gap + ref, zero, ref, zero, tau, reduction="none")).close(
        torch.tensor([0.0, off**2, off**2], dtype=F64),
        "The loss is 0 at a gap of 1 / (2 tau) and equally large on both sides, without a cap.",
    )


@exercise("ipo_loss")
def test_reductions_of_ipo(student: Student, draw: Draw):
    """The three reductions, one that does not exist, and a batch of one pair."""
    pairs = pairs_of_logps(draw, 5)
    each = (gap_of(pairs) - 1.25) ** 2
    text = 'reduction is "mean", "sum" (both 0-d) or "none" (one loss per pair).'
    expect(student.ipo_loss(*pairs, 0.4, reduction="none")).close(each, text)
    expect(student.ipo_loss(*pairs, 0.4, reduction="sum")).close(each.sum(), text)
    expect(student.ipo_loss(*pairs, 0.4, reduction="mean")).close(each.mean(), text)
    single = pairs_of_logps(draw, 1)
    expect(student.ipo_loss(*single, 0.4, reduction="none")).close(
        (gap_of(single) - 1.25) ** 2, "A batch of one pair is still a batch: keep its dimension."
    )
    for other in ("median", "MEAN", "", None):
        expect(student.raised("ipo_loss", *pairs, 0.4, reduction=other)).equals(
            "ValueError", "Any other reduction raises a ValueError."
        )


@exercise("ipo_loss")
def test_gradients_of_ipo(student: Student, draw: Draw):
    """Gradients in all four log-probabilities, by value; the reference is a constant."""
    pairs, tau = pairs_of_logps(draw, 6), 0.4
    got = student.grad("ipo_loss", *pairs, tau, wrt=(0, 1, 2, 3))
    slope = 2 * (gap_of(pairs) - 1 / (2 * tau)) / 6
    expect([got.grads[0], got.grads[1]]).close(
        [slope, -slope], "The slope is 2 (gap - 1 / (2 tau)) / B, and the opposite for rejected."
    )
    leaks = any(got.grads[k] is not None and bool(got.grads[k].any()) for k in (2, 3))
    expect(got).true(not leaks, "A gradient reaches the reference, which is a constant: detach it.")


# --- ipo_two_arm_solution -----------------------------------------------------------------------


def two_arm_optimum(tau: float, p: float) -> float:
    """Vertex of the parabola through three values of the expected loss, as a probability."""
    c = 1 / (2 * tau)
    low, mid, high = (p * (d - c) ** 2 + (1 - p) * (-d - c) ** 2 for d in (-1.0, 0.0, 1.0))
    gap = (low - high) / (2 * (low - 2 * mid + high))
    return math.exp(gap) / (1 + math.exp(gap))


@exercise("ipo_two_arm_solution")
def test_certain_labels(student: Student, draw: Draw):
    """The first completion always wins; p is left at its default."""
    tau = draw.choice([0.3, 0.7, 1.3])
    expect(student.ipo_two_arm_solution(tau)).close(
        two_arm_optimum(tau, 1.0),
        "With p = 1 the optimum is sigma(1 / (2 tau)), a Python float.",
        mistakes={
            "This is DPO's answer: IPO stops at a finite gap.": 1.0,
            "The gap is 1 / (2 tau), not 1 / tau.": 1 / (1 + math.exp(-1 / tau)),
            "The gap is 1 / (2 tau), not tau / 2.": 1 / (1 + math.exp(-tau / 2)),
            "This is the gap: translate it into a probability.": 1 / (2 * tau),
        },
    )


@exercise("ipo_two_arm_solution", weight=2)
def test_uncertain_labels(student: Student, draw: Draw):
    """Label probabilities above and below one half, and a large tau."""
    usual = draw.choice([0.3, 0.7, 1.3])
    certain, doubtful = draw.choice([0.7, 0.8, 0.9]), draw.choice([0.15, 0.25, 0.35])
    for tau, p in ((usual, certain), (usual, doubtful), (20 * usual, certain)):
        odds = math.log(p / (1 - p))
        expect(student.ipo_two_arm_solution(tau, p)).close(
            two_arm_optimum(tau, p),
            "The expected loss is smallest at a gap of (2p - 1) / (2 tau).",
            mistakes={
                "p is ignored.": two_arm_optimum(tau, 1.0),
                "The average target is (2p - 1) / (2 tau), not p / (2 tau).": (
                    1 / (1 + math.exp(-p / (2 * tau)))
                ),
                "This is the answer of DPO: its gap is ln(p / (1 - p)) / tau.": (
                    1 / (1 + math.exp(-odds / tau))
                ),
                "The gap is (2p - 1) / (2 tau), not (2p - 1) / tau.": (
                    1 / (1 + math.exp(-(2 * p - 1) / tau))
                ),
                "Average the targets, not the two answers.": (
                    p * two_arm_optimum(tau, 1.0) + (1 - p) * two_arm_optimum(tau, 0.0)
                ),
            },
        )


@exercise("ipo_two_arm_solution")
def test_tiny_tau(student: Student, draw: Draw):
    """A tau of a few 1e-4: the optimum is 0, a half or 1."""
    tau = draw.choice([1e-4, 2e-4, 3e-4])
    got = [student.ipo_two_arm_solution(tau, p) for p in (0.0, 0.5, 1.0)]
    expect(got).close(
        [0.0, 0.5, 1.0],
        "math.exp of a large number raises OverflowError: use a form that is stable on both sides.",
        scale=1.0,
    )


# --- ipo_closed_form ----------------------------------------------------------------------------


def least_squares_ipo(ref, mu, prefs, tau) -> torch.Tensor:
    """Minimiser of the population IPO loss over pairs from mu x mu: weighted least squares in h."""
    n = len(ref)
    rows, targets = [torch.ones(n, dtype=F64)], [scalar(0.0)]  # the first row fixes the constant
    for i in range(n):
        for j in range(n):
            row = torch.zeros(n, dtype=F64)
            row[i] += 1
            row[j] -= 1
            weight = (mu[i] * mu[j]).sqrt()
            rows.append(weight * row)
            targets.append(weight * (2 * prefs[i, j] - 1) / (2 * tau))
    h = torch.linalg.lstsq(torch.stack(rows), torch.stack(targets)[:, None]).solution[:, 0]
    each = ref * h.exp()
    return each / each.sum()


def tilt(ref: torch.Tensor, wins: torch.Tensor, tau: float) -> torch.Tensor:
    each = ref * (wins / tau).exp()
    return each / each.sum()


@exercise("ipo_closed_form", weight=2)
def test_closed_form_minimises_the_population_loss(student: Student, draw: Draw):
    """Arbitrary preferences, reference and opponents, against a least-squares fit."""
    ref, mu, prefs = draw.probs(4), draw.probs(4), preferences(draw, 4)
    tau = draw.choice([0.2, 0.4, 0.7])
    alone = 1 - torch.eye(4, dtype=F64)
    others = alone * mu / (alone * mu).sum(1, keepdim=True)
    expect(student.ipo_closed_form(ref, mu, prefs, tau)).close(
        least_squares_ipo(ref, mu, prefs, tau),
        "The policy is proportional to ref * exp(p(y > mu) / tau), with p(y > mu) = sum_j mu_j "
        "P(y > j).",
        rtol=1e-8,
        mistakes={
            "You left y itself out of its opponents.": tilt(ref, (prefs * others).sum(1), tau),
            "You skipped the self-comparison, mu_y / 2.": tilt(ref, (prefs * alone) @ mu, tau),
            "You used the logit of the preference: that is the target of DPO.": tilt(
                ref, (prefs / (1 - prefs)).log() @ mu, tau
            ),
            "You used the logit of p(y > mu): IPO uses the probability itself.": tilt(
                ref, torch.logit(prefs @ mu), tau
            ),
            "Rows win over columns: you counted losses.": tilt(ref, prefs.T @ mu, tau),
            "The reference is missing.": tilt(torch.ones_like(ref), prefs @ mu, tau),
            "mu is missing: opponents are not equally frequent.": tilt(ref, prefs.mean(1), tau),
            "The exponent is p / tau, not p / (2 tau).": tilt(ref, prefs @ mu, 2 * tau),
            "You did not normalise.": ref * (prefs @ mu / tau).exp(),
            "Divide by tau, do not multiply.": tilt(ref, prefs @ mu, 1 / tau),
        },
    )


@exercise("ipo_closed_form")
def test_bradley_terry_labels(student: Student, draw: Draw):
    """Labels from rewards, uniform opponents: the win probability counts, not the reward."""
    r, beta = draw.uniform(1, 4, 5), 0.5
    prefs = sigma(r[:, None] - r[None, :])
    ref, uniform = draw.probs(5), torch.full((5,), 0.2, dtype=F64)
    expect(student.ipo_closed_form(ref, uniform, prefs, beta)).close(
        least_squares_ipo(ref, uniform, prefs, beta),
        "IPO optimises p(y > mu), a bounded win probability, not the Bradley-Terry reward.",
        rtol=1e-8,
        mistakes={"This is the optimum for the reward, which DPO targets.": optimum(ref, r, beta)},
    )


@exercise("ipo_closed_form")
def test_certain_labels_and_tiny_tau(student: Student, draw: Draw):
    """Labels of 0 and 1 with a tau of 1e-4: a clear winner, and a cycle without one."""
    ref, third = draw.probs(3), torch.full((3,), 1 / 3, dtype=F64)
    cycle = torch.tensor([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]], dtype=F64)
    order = torch.tensor([[0.5, 1.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.5]], dtype=F64)
    text = "exp(p / tau) overflows for small tau: work with logarithms and a softmax."
    expect(student.ipo_closed_form(ref, third, cycle, 1e-4)).close(ref, text)
    expect(student.ipo_closed_form(ref, draw.probs(3), order, 1e-4)).close(
        torch.tensor([1.0, 0.0, 0.0], dtype=F64), text
    )


@exercise("ipo_closed_form")
def test_tiny_references_and_a_large_tau(student: Student, draw: Draw):
    """A reference of 1e-10 for the favourite with a small tau; then a tau of 6."""
    ref = torch.cat([torch.tensor([1e-10], dtype=F64), draw.probs(3) * (1 - 1e-10)])
    mu, prefs = draw.probs(4), preferences(draw, 4)
    prefs[0, 1:], prefs[1:, 0] = 0.97, 0.03
    for tau in (0.03, 6.0):
        expect(student.ipo_closed_form(ref, mu, prefs, tau)).close(
            tilt(ref, prefs @ mu, tau),
            "Tiny probabilities of the reference count in full, and tau as it is: no epsilon, no "
            "cap.",
            rtol=1e-8,
        )


@exercise("ipo_closed_form")
def test_labels_that_all_but_tie(student: Student, draw: Draw):
    """A tau of 1e-4, and labels that differ from one half by about as much."""
    ref, mu, tilt_of = draw.probs(3), draw.probs(3), draw.uniform(0.5, 2, 3, 3).triu(1)
    close = 0.5 + 1e-4 * (tilt_of - tilt_of.T)
    want = ref * ((tilt_of - tilt_of.T) @ mu).exp()
    expect(student.ipo_closed_form(ref, mu, close, 1e-4)).close(
        want / want.sum(), "tau counts however small it is: no floor under it.", rtol=1e-6
    )
