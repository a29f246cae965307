"""Section 8 of 13_shiq. Training on the grid, step by step."""

import math
from functools import cache, partial

import numpy as np
import torch

from autograder.suite import Draw, Student, exercise, expect
from sft2rl import grid

from .oracles import F64, best_value

# --- train_grid ----------------------------------------------------------------------------------


def log_softmax(x):
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def grid_values(kind, log_pi, beta):
    """J of a table [12 P, 4] of log-probabilities, time by time."""
    world = {name: x.numpy() for name, x in grid.places(kind).items()}
    number = len(world["done"])
    v = np.zeros(number)
    for t in reversed(range(12)):
        now = log_pi[number * t : number * (t + 1)]
        q = world["reward"] + np.where(world["done"], 0.0, v[world["next_place"]])
        v = (np.exp(now) * (q - beta * (now + math.log(4)))).sum(1)
    return v[0]


@cache
def train_oracle(method, kind, seed, steps, lr=0.1, batch_size=64, beta=1.0, eval_every=50,
                 slip=""):  # fmt: skip
    """(regrets, logits) in numpy with gradients by hand; `slip` names a typical mistake."""
    data = {name: x.numpy() for name, x in grid.walks(kind, seed).items()}
    number = 12 * len(grid.places(kind)["done"])
    theta = np.zeros((number, 4))
    mean, square = np.zeros_like(theta), np.zeros_like(theta)
    best = best_value(kind, beta)
    regrets = []
    for step in range(steps + 1):
        if step % eval_every == 0:
            regrets.append(best - grid_values(kind, log_softmax(theta), beta))
        if step == steps:
            break
        pairs = (step * batch_size + np.arange(batch_size)) % 500
        if slip == "first minibatch":
            pairs = np.arange(batch_size) % 500
        if slip == "short last minibatch":
            start = step % -(-500 // batch_size) * batch_size
            pairs = np.arange(start, min(start + batch_size, 500))
        partner = pairs + 500
        rows = np.concatenate([pairs, partner])
        if slip == "neighbours":
            rows = np.concatenate([2 * pairs, 2 * pairs + 1])
        if slip == "first walks only":
            rows = pairs
        gradient = grid_gradient(method, data, rows, pairs, theta, beta, slip)
        if slip == "gradient descent":
            theta = theta - lr * gradient
            continue
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        fresh = square / (1 - 0.999 ** (step + 1))
        theta = theta - lr * mean / (1 - 0.9 ** (step + 1)) / (np.sqrt(fresh) + 1e-8)
    return torch.tensor(regrets, dtype=F64), torch.from_numpy(theta)


def regrets_of(*run, **options):
    """What `train_oracle` says of the regrets."""
    return train_oracle(*run, **options)[0]


def grid_gradient(method, data, rows, pairs, theta, beta, slip):
    """The gradient of the loss in the table, by hand."""
    states, actions = data["states"][rows], data["actions"][rows]
    mask, rewards = data["mask"][rows].astype(float), data["rewards"][rows]
    logits = theta[states]
    log_pi = log_softmax(logits)
    pi, chosen = np.exp(log_pi), np.eye(4)[actions]
    h = ((log_pi * chosen).sum(-1) + math.log(4)) * mask
    level = beta * (np.log(np.exp(logits).sum(-1)) - math.log(4)) * mask
    score = chosen - pi
    count = len(rows)
    if method == "shiq":
        later = np.flip(np.cumsum(np.flip(rewards - beta * h, 1), 1), 1)
        delta = (later - level) * mask
        if slip == "squared sum":
            delta = np.repeat(delta.sum(1, keepdims=True), 12, 1) * mask
        before = np.cumsum(delta, 1)
        flow = -beta * before[..., None] * score - beta * delta[..., None] * pi
        flow = 2 / count * flow * mask[..., None]
    elif method == "shiq_one_step":
        after = np.concatenate([level[:, 1:], np.zeros((count, 1))], 1)
        delta = (rewards - beta * h + after - level) * mask
        before = np.concatenate([np.zeros((count, 1)), delta[:, :-1]], 1)
        before = before * (0.0 if slip == "target" else 1.0)
        flow = -beta * delta[..., None] * chosen + beta * before[..., None] * pi
        flow = 2 / count * flow * mask[..., None]
    else:
        half = len(pairs)
        gap = h[:half].sum(1) - h[half:].sum(1)
        total = rewards.sum(1)
        if method == "copg":
            inside = {"reward sign": -1.0}.get(slip, 1.0) * (total[:half] - total[half:])
            push = 2 * beta * (beta * gap - inside) / half
        else:
            wins = data["first_wins"][pairs]
            if slip == "first always":
                wins = np.ones(half, bool)
            if slip == "by return":
                wins = total[:half] > total[half:]
            sign = np.where(wins, 1.0, -1.0) * (-1.0 if slip == "loser" else 1.0)
            push = -beta * sign / (1 + np.exp(beta * sign * gap)) / half
        push = np.concatenate([push, -push])[:, None, None]
        flow = push * score * mask[..., None]
    gradient = np.zeros_like(theta)
    np.add.at(gradient, states.ravel(), flow.reshape(-1, 4))
    return gradient


TRAIN_SLIPS = {
    "first minibatch": "Every step used the first minibatch: go through the data.",
    "short last minibatch": "The last minibatch was cut short: indices continue modulo 500.",
    "neighbours": "Walk i is paired with walk i + 500.",
    "gradient descent": "This is plain gradient descent: use Adam.",
    "first walks only": "The ShiQ losses take both walks of each pair.",
    "squared sum": "The square is inside the sum over t.",
    "target": "The value of the next state is detached: nothing is.",
    "reward sign": "The rewards are subtracted the wrong way round.",
    "first always": "first_wins says who won: it is not always the first.",
    "by return": "The winner was decided by the returns: the labels are data.",
    "loser": "Winner and loser are swapped.",
}

TRAIN = "The regrets or the logits are not those of this method on these walks: see the docstring."


def check_training(student, method, kind, seed, slips, **options):
    """Compare a short run with the oracle's."""
    count = options["steps"] // options["eval_every"] + 1
    got = student.train_grid(method, kind, seed, **options)
    expect(got).true(
        isinstance(got, tuple | list) and len(got) == 2, "Return two things: (regrets, logits)."
    )
    regrets, logits = got
    number = 12 * len(grid.places(kind)["done"])
    expect(regrets).tensor(
        (count,), F64, "regrets: [steps // eval_every + 1], float64, from step 0 on."
    )
    expect(logits).tensor((number, 4), F64, "logits: the whole table, [12 P, 4], float64.")
    other = {name: value for name, value in options.items() if name != "beta"}
    mistakes = {
        TRAIN_SLIPS[slip]: partial(regrets_of, method, kind, seed, slip=slip, **options)
        for slip in (*slips, "first minibatch", "short last minibatch", "gradient descent")
    } | {
        "lr is not used.": partial(regrets_of, method, kind, seed, **options | {"lr": 0.1}),
        "beta is not used.": partial(regrets_of, method, kind, seed, **other),
    }
    want, table = train_oracle(method, kind, seed, **options)
    expect(regrets[:1]).close(
        want[:1], "The first regret is that of the reference: the table starts at zeros.",
        mistakes={"The table starts at the optimum.": 0 * want[:1]}, rtol=1e-7, scale=1.0,
    )  # fmt: skip
    expect(regrets).close(want, TRAIN, mistakes, rtol=2e-6)
    expect(logits).close(table, "logits is the table after the last step. " + TRAIN, rtol=2e-5)


@exercise("train_grid", weight=2)
def test_shiq_step_by_step(student: Student, draw: Draw):
    """Nine steps on the fine grid, minibatches that go round the walks."""
    check_training(
        student, "shiq", "fine", draw.integer(10, 9999), ("squared sum", "first walks only"),
        steps=9, lr=0.3, batch_size=130, beta=0.6, eval_every=2,
    )  # fmt: skip


@exercise("train_grid")
def test_one_step_shiq_step_by_step(student: Student, draw: Draw):
    """Two steps in both settings (later, Adam amplifies rounding errors of exact zeros)."""
    for kind, batch_size in (("final", 300), ("fine", 130)):
        check_training(
            student, "shiq_one_step", kind, draw.integer(10, 9999), ("target", "first walks only"),
            steps=2, lr=0.3, batch_size=batch_size, beta=0.6, eval_every=1,
        )  # fmt: skip


@exercise("train_grid", weight=2)
def test_copg_step_by_step(student: Student, draw: Draw):
    """Nine steps on the final-reward grid."""
    check_training(
        student, "copg", "final", draw.integer(10, 9999), ("reward sign", "neighbours"),
        steps=9, lr=0.3, batch_size=130, beta=0.6, eval_every=2,
    )  # fmt: skip


@exercise("train_grid", weight=2)
def test_dpo_step_by_step(student: Student, draw: Draw):
    """Eight steps on the fine grid, minibatches larger than the data."""
    check_training(
        student, "dpo", "fine", draw.integer(10, 9999),
        ("first always", "by return", "loser", "neighbours"),
        steps=8, lr=0.3, batch_size=510, beta=0.6, eval_every=3,
    )  # fmt: skip


@exercise("train_grid")
def test_the_defaults(student: Student, draw: Draw):
    """Three steps with lr 0.1, 64 pairs and beta 1; a regret every 50 of 50 small steps."""
    seed = draw.integer(10, 9999)
    got = student.train_grid("copg", "fine", seed, steps=3)
    expect(got).close(
        train_oracle("copg", "fine", seed, 3),
        "By default lr is 0.1, batch_size 64, beta 1 and eval_every 50.", rtol=2e-5,
    )  # fmt: skip
    curve = student.train_grid("copg", "fine", seed, steps=50, batch_size=1)[0]
    expect(curve).tensor((2,), F64, "By default there is a regret every 50 steps.")


# The defaults take 1000 steps, which cost the grader 0.8 s; with these, 100 get near the optimum.
FAST = {"lr": 0.3, "batch_size": 125}


def ends_of(student, method, steps, seed):
    """The first and the last regret of a run on the final-reward grid."""
    got = student.train_grid(method, "final", seed, steps=steps, eval_every=steps, **FAST)
    shaped = isinstance(got, tuple | list) and len(got) == 2
    expect(got).true(shaped, "Return two things: (regrets, logits).")
    first, last = expect(got[0]).tensor(
        (2,), F64, "regrets: [steps // eval_every + 1], float64, from step 0 on."
    )
    return float(first), float(last)


@exercise("train_grid", weight=2)
def test_shiq_nearly_reaches_the_optimum(student: Student, draw: Draw):
    """100 large steps on the final-reward grid: the regret ends below 0.15."""
    first, last = ends_of(student, "shiq", 100, draw.choice((2, 3, 5, 8, 13, 21)))
    expect((first, last)).true(
        2.6 < first < 2.61 and -1e-9 < last < 0.15,
        "ShiQ must start at the reference's regret, 2.60, and end below 0.15 on the final reward.",
    )


@exercise("train_grid")
def test_the_other_methods_end_where_they_must(student: Student, draw: Draw):
    """15 large steps of DPO and CoPG, 40 of one-step ShiQ, on the final-reward grid."""
    seed = draw.choice((2, 3, 5, 8, 13, 21))
    ends = {
        method: ends_of(student, method, steps, seed)[1]
        for method, steps in (("dpo", 15), ("copg", 15), ("shiq_one_step", 40))
    }
    expect(ends).true(
        ends["dpo"] > 2.7 > 2.6 > ends["copg"] > 1.0,
        "With 500 labels DPO must end worse than the reference, CoPG somewhat better.",
    )
    expect(ends).true(
        ends["shiq_one_step"] < 0.4, "One-step ShiQ must be close to the optimum by now."
    )


@exercise("train_grid")
def test_unknown_methods_and_kinds_are_refused(student: Student, draw: Draw):
    """A method that is none of the four, a kind that is none of the two."""
    for method, kind in (("ppo", "final"), ("ShiQ", "fine"), ("", "final"), ("dpo", "middle")):
        raised = student.raised("train_grid", method, kind, 1, steps=1)
        expect(raised).equals("ValueError", "Raise ValueError for an unknown method or kind.")
