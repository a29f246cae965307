"""Section 7 of 11_copg. Training on the offline bandit, step by step."""

from functools import partial

import numpy as np
import torch

from autograder.suite import Draw, Student, exercise, expect

from .oracles import F64, oracle, tensor

# --- train_offline_bandit ------------------------------------------------------------------------

# Sentences for the slips that a method can have; others never match by chance.
SLIPS = {
    "start at zero": "The policy must start at the reference: theta = ref.",
    "uniform optimum": "pi_* contains the reference: J(pi_*) = beta ln sum pi_ref exp(R/beta).",
    "sign of the KL term": "The regret has the wrong sign of the KL term: J subtracts it.",
    "first minibatch": "Every step used the first minibatch: go through the data.",
    "short last minibatch": "The last minibatch was cut short: indices continue modulo n.",
    "drops the last pairs": "The last pairs were dropped: indices continue modulo n.",
    "all pairs": "Every step used each pair once: use minibatches of batch_size, modulo n.",
    "gradient descent": "This is plain gradient descent: use Adam.",
    "detached": "R_{beta/2} is detached in the CoPG objective.",
    "R_beta inside": "The CoPG objective has R_{beta/2}, not R_beta.",
    "no KL": "The KL term is missing from the reward.",
    "minimised": "The CoPG objective is maximised, not minimised.",
    "R_beta attached": "R_beta must be detached in the policy-gradient rows.",
    "first arm only": "Both arms of a pair are updated.",
    "E[R]": "The baseline is E_pi[R]; this method's differs.",
    "E[R_beta]": "The baseline of this method is not E_pi[R_beta].",
    "minibatch mean of R": "The baseline is an exact expectation under pi, not a batch mean of R.",
    "minibatch mean of R_beta": "The baseline is an expectation under pi, not a batch mean.",
    "reference mean": "The baseline is an expectation under pi, not under the reference.",
    "no baseline": "The baseline is missing.",
    "always the first": "The labels were ignored: the first arm does not always win.",
    "by rewards": "The winner was decided by the rewards: the labels are data.",
    "swapped": "Winner and loser are swapped.",
    "no beta": "beta is missing: ln sigmoid(beta gap), and 1/(2 beta) for IPO.",
    "1 / beta": "IPO's margin is 1/(2 beta), not 1/beta.",
    "beta / 2": "IPO's margin is 1/(2 beta), not beta/2.",
    "no reference": "The gap is a difference of h = ln pi - ln pi_ref.",
}


def small_run(draw, batch_size=4):
    """Eleven pairs of four arms, labels that contradict the rewards at times.

    In the first minibatch no arm wins as often as it loses: its first gradient would be zero
    but for rounding, and Adam divides by that.
    """
    rewards = tensor(2.0, 0.6, -0.4, -1.6) + draw.uniform(-0.2, 0.2, 4)
    ref = (tensor(0.45, 0.25, 0.2, 0.1).log() + draw.uniform(-0.2, 0.2, 4)).log_softmax(0)
    y = np.array([0, 3, 1, 2, 3, 0, 2, 3, 3, 1, 2])
    y2 = np.array([3, 1, 2, 3, 3, 2, 0, 2, 1, 1, 3])
    wins = np.array([1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1], dtype=bool)
    balance = np.zeros(4)
    while not balance.all():
        order = np.array(draw.shuffled(range(11)))
        first = order[np.arange(batch_size) % 11]
        sign = np.where(wins[first], 1.0, -1.0)
        balance = np.bincount(y[first], sign, 4) - np.bincount(y2[first], sign, 4)
    pairs = {"y": torch.from_numpy(y[order]), "y2": torch.from_numpy(y2[order])}
    run = {"R": rewards, "ref": ref, "beta": 0.4, "steps": 24, "lr": 0.05}
    return pairs | run | {"batch_size": batch_size}, torch.from_numpy(wins[order])


def check_run(student, draw, method, slips, batch_size=4):
    """Compare 25 regrets with the oracle's; a positive factor on the objective is allowed."""
    run, wins = small_run(draw, batch_size)
    got = student.train_offline_bandit(method, first_wins=wins, **run)
    expect(got).tensor(
        (25,), F64, "Return steps + 1 regrets, float64: before the first step and after each."
    )
    common = (
        "start at zero", "uniform optimum", "sign of the KL term", "gradient descent",
        "first minibatch", "short last minibatch", "drops the last pairs", "all pairs",
    )  # fmt: skip
    expect(got).close(
        oracle(method, first_wins=wins, **run),
        "The regrets are not those of this method on these pairs. See the table for its objective, "
        "and the docstring for the minibatches, the start and the optimiser.",
        mistakes={
            SLIPS[slip]: partial(oracle, method, first_wins=wins, slip=slip, **run)
            for slip in (*common, *slips)
        },
        rtol=1e-5,  # a factor on the objective moves Adam's steps, by its epsilon
    )


@exercise("train_offline_bandit", weight=3)
def test_copg_step_by_step(student: Student, draw: Draw):
    """24 steps of CoPG on eleven pairs, in minibatches of four."""
    check_run(student, draw, "copg", ("detached", "R_beta inside", "no KL", "minimised"))


@exercise("train_offline_bandit", weight=2)
def test_pg_without_baseline_step_by_step(student: Student, draw: Draw):
    """24 steps of policy gradient with b = 0."""
    check_run(
        student, draw, "pg", ("no KL", "R_beta attached", "first arm only", "E[R]", "E[R_beta]")
    )


BASELINES = (
    "no baseline", "minibatch mean of R", "minibatch mean of R_beta", "reference mean",
    "R_beta attached", "first arm only",
)  # fmt: skip


@exercise("train_offline_bandit", weight=2)
def test_pg_with_the_value_baseline_step_by_step(student: Student, draw: Draw):
    """24 steps of policy gradient with b = E_pi[R], R without its KL term."""
    check_run(student, draw, "pg_value", ("E[R_beta]", *BASELINES))


@exercise("train_offline_bandit", weight=2)
def test_pg_with_the_regularised_baseline_step_by_step(student: Student, draw: Draw):
    """24 steps of policy gradient with b = E_pi[R_beta]."""
    check_run(student, draw, "pg_value_beta", ("E[R]", *BASELINES))


LABELS = ("always the first", "by rewards", "swapped", "no beta", "no reference")


@exercise("train_offline_bandit", weight=2)
def test_dpo_step_by_step(student: Student, draw: Draw):
    """24 steps of DPO with labels that at times contradict the rewards."""
    check_run(student, draw, "dpo", LABELS)


@exercise("train_offline_bandit", weight=2)
def test_ipo_step_by_step(student: Student, draw: Draw):
    """24 steps of IPO in minibatches of 25, which go more than twice round the eleven pairs."""
    check_run(student, draw, "ipo", (*LABELS, "1 / beta", "beta / 2"), batch_size=25)


def offline_data(draw, n=3000):
    """Pairs of the paper's samplers, their labels both ways, and the paper's bandit."""
    mu1, mu2 = (0.1, 0.2, 0.7), (0.05, 0.05, 0.9)
    y, y2 = (torch.from_numpy(draw.numpy.choice(3, n, p=mu)) for mu in (mu1, mu2))
    rewards, ref = tensor(2.5, 2.0, 1.0), torch.full((3,), 1 / 3, dtype=F64).log()
    return {"y": y, "y2": y2, "R": rewards, "ref": ref, "beta": 0.5}


@exercise("train_offline_bandit")
def test_copg_with_the_defaults_reaches_the_optimum(student: Student, draw: Draw):
    """The paper's samplers and all defaults: 2000 steps, lr 1e-2, minibatches of 512."""
    data = offline_data(draw)
    message = "By default there are 2000 steps, thus 2001 regrets, float64."
    curve = expect(student.train_offline_bandit("copg", **data)).tensor((2001,), F64, message)
    expect(curve[:301]).close(
        oracle("copg", steps=300, lr=1e-2, batch_size=512, **data),
        "By default lr is 1e-2 and batch_size is 512; Adam's other options are torch's defaults.",
        rtol=2e-6,
    )
    expect(curve).true(
        float(curve[1000]) < 1e-6 and float(curve[-1]) < 1e-6,
        "CoPG must have reached pi_* after 1000 steps, and stay there.",
    )


@exercise("train_offline_bandit", weight=2)
def test_both_failing_baselines_end_where_they_must(student: Student, draw: Draw):
    """The paper's samplers, a larger lr: b = 0 and b = E_pi[R] after some hundred steps."""
    data = offline_data(draw)

    def last(method, steps):
        curve = student.train_offline_bandit(method, steps=steps, lr=0.1, batch_size=256, **data)
        shape = "Return steps + 1 regrets, float64: before the first step and after each."
        return float(expect(curve).tensor((steps + 1,), F64, shape)[-1])

    expect(data).true(
        last("pg", 75) > 0.5,
        "Offline, PG with b = 0 must get worse than the reference: it reinforces the data. Are "
        "the samples your own, or weighted?",
    )
    expect(data).true(
        0.008 < last("pg_value", 125) < 0.025,
        "PG with b = E_pi[R] must end on its plateau: R without the KL term, and no weights.",
    )


@exercise("train_offline_bandit")
def test_dpo_with_sure_labels_drifts_to_the_greedy_policy(student: Student, draw: Draw):
    """Deterministic labels, a larger lr: the regret falls first and rises again."""
    data = offline_data(draw)
    wins = data["R"][data["y"]] > data["R"][data["y2"]]
    curve = student.train_offline_bandit(
        "dpo", steps=250, lr=0.1, batch_size=256, first_wins=wins, **data
    )
    message = "Return steps + 1 regrets, float64: before the first step and after each."
    curve = expect(curve).tensor((251,), F64, message)
    expect(curve).true(
        float(curve[-1]) > 0.08 and float(curve.min()) < 0.05,
        "With deterministic labels DPO must pass near pi_* and then drift to the greedy policy.",
    )


@exercise("train_offline_bandit")
def test_an_unknown_method_is_refused(student: Student, draw: Draw):
    """A method that is none of the six raises ValueError."""
    run, wins = small_run(draw)
    for method in ("rloo", "PG", "", "pg_beta"):
        raised = student.raised("train_offline_bandit", method, first_wins=wins, **run)
        expect(raised).equals(
            "ValueError", "Raise ValueError for a method that is none of the six."
        )
