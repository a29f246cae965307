"""Visible checks of 09: hand-made numbers and properties, never a reference solution."""

from __future__ import annotations

import math

import torch

from sft2rl import formulas
from sft2rl.checks import close, fail, passed, raises, visible_check

F64 = torch.float64
LN2 = math.log(2)


def _t(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=F64)


def _gradients(fn, *args, wrt) -> list:
    """Gradients of the scalar `fn(*args)` in the arguments at the places `wrt`."""
    inputs = [a.clone().requires_grad_() if k in wrt else a for k, a in enumerate(args)]
    value = fn(*inputs)
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        fail("No gradient flows through your result. Look for .item(), .detach() or numpy.")
    return list(torch.autograd.grad(value, [inputs[k] for k in wrt], allow_unused=True))


@visible_check
def bt_probability(fn):
    """Three known probabilities, large rewards, broadcasting, a gradient."""
    close(
        fn(_t(2.5, 2.5, 1.0), _t(2.0, 1.0, 2.0)),
        _t(0.6224593312018546, 0.8175744761936437, 0.2689414213699951),
        "rewards (2.5, 2.5, 1) against (2, 1, 2)",
        mistakes={
            "subtract in the other order": _t(
                0.3775406687981454, 0.18242552380635635, 0.7310585786300049
            ),
            "use the normal distribution function (Thurstone) instead of sigma": _t(
                0.6914624612740131, 0.9331927987311419, 0.15865525393145707
            ),
            "treat the rewards as strengths: r_w / (r_w + r_l)": _t(2.5 / 4.5, 2.5 / 3.5, 1 / 3),
        },
    )
    close(
        fn(_t(1000.0, -1000.0), _t(999.5, -999.5)),
        _t(0.6224593312018546, 0.3775406687981454),
        "rewards near ±1000 (exponentials overflow or underflow; the difference does not)",
    )
    rewards = _t(0.3, -1.0, 2.0)
    table = fn(rewards[:, None], rewards[None, :])
    close(table + table.T, torch.ones(3, 3, dtype=F64), "P(i > j) + P(j > i) for a whole table")
    (slope,) = _gradients(lambda r: fn(r, _t(0.0)).sum(), _t(0.0), wrt=(0,))
    close(slope, _t(0.25), "the slope at equal rewards")
    passed("bt_probability")


@visible_check
def reward_model_loss(fn):
    """ln 2 at a tie, a hand-made batch, huge gaps, both gradients."""
    close(fn(_t(1.0), _t(1.0)), torch.tensor(LN2, dtype=F64), "a tie costs ln 2")
    chosen, rejected = _t(1.0, 0.0, 2.0), _t(0.0, 3.0, 2.0)
    total = 0.31326168751822286 + 3.048587351573742 + LN2
    close(
        fn(chosen, rejected),
        torch.tensor(total / 3, dtype=F64),
        "gaps of 1, -3 and 0",
        mistakes={
            "sum over the pairs instead of taking the mean": torch.tensor(total, dtype=F64),
            "subtract in the other order": torch.tensor((total + 2) / 3, dtype=F64),
        },
    )
    close(
        fn(_t(0.0, 0.0), _t(1000.0, -1000.0)),
        torch.tensor(500.0, dtype=F64),
        "gaps of -1000 and 1000 (take the logarithm analytically: softplus)",
    )
    slopes = _gradients(fn, chosen, rejected, wrt=(0, 1))
    if any(slope is None for slope in slopes):
        fail("The gradient must reach both the chosen and the rejected rewards.")
    slopes = torch.stack(slopes)
    up = _t(0.2689414213699951, 0.9525741268224334, 0.5) / 3
    close(slopes, torch.stack([-up, up]), "gradients in the chosen and the rejected rewards")
    passed("reward_model_loss")


@visible_check
def fit_bt(fn):
    """Two items in closed form, exact probabilities, and a schedule that fools win rates."""

    def gaps(wins, steps=2000):
        rewards = fn(wins, 2.0, steps)
        close(torch.as_tensor(rewards).isfinite(), torch.ones(len(wins)).bool(), "finite rewards")
        return rewards - rewards[0]

    close(
        gaps(_t([0, 30], [10, 0])),
        _t(0.0, -math.log(3)),
        "30 votes to 10: the second reward minus the first",
        mistakes={
            "return win rates as rewards": _t(0.0, -0.5),
            "read the table by columns": _t(0.0, math.log(3)),
        },
        rtol=1e-6,
    )
    truth = _t(0.0, 0.5, -1.0)
    played = _t([0, 10, 40], [10, 0, 5], [40, 5, 0])
    exact = played * torch.sigmoid(truth[:, None] - truth[None, :])
    close(gaps(exact), truth, "vote counts made from rewards (0, 0.5, -1)", rtol=1e-6)
    votes = _t([0, 28, 1], [4, 0, 2], [3, 8, 0])
    close(
        gaps(votes),
        _t(0.0, -1.7409967264224833, 0.22700580220699906),
        "three items; item 0 has the best win rate, but mostly against item 1",
        mistakes={
            "weigh every pair alike, however often it met": _t(
                0.0, -1.333874849308676, 0.692311157955662
            )
        },
        rtol=1e-5,
    )
    close(
        gaps(torch.tensor([[0, 3, 0], [1, 0, 2], [0, 1, 0]])),
        _t(0.0, -math.log(3), -math.log(6)),
        "whole-number counts; items 0 and 2 never met",
        rtol=1e-6,
    )
    passed("fit_bt")


@visible_check
def sequence_reward(fn):
    """The same three texts under three paddings and three types of mask."""
    hidden = torch.arange(24, dtype=F64).reshape(2, 4, 3)
    w = _t(1.0, 10.0, 100.0)
    for name, mask, last in (
        ("no padding", [[1, 1, 1, 1], [1, 1, 1, 1]], (3, 3)),
        ("padding on the right", [[1, 1, 0, 0], [1, 1, 1, 1]], (1, 3)),
        ("padding on the left", [[0, 0, 1, 1], [0, 1, 1, 1]], (3, 3)),
        ("padding on both sides, one token only", [[0, 1, 1, 0], [0, 1, 0, 0]], (2, 1)),
    ):
        for dtype in (torch.int64, torch.bool, torch.float32):
            got = fn(hidden, torch.tensor(mask).to(dtype), w)
            want = torch.stack([hidden[row, t] @ w for row, t in enumerate(last)])
            ends = hidden[:, -1] @ w
            counts = torch.stack([hidden[row, sum(m) - 1] @ w for row, m in enumerate(mask)])
            mistakes = {}
            if not torch.equal(ends, want):
                mistakes["take the last position, padding or not"] = ends
            if not torch.equal(counts, want):
                mistakes["take position mask.sum() - 1, right for right padding only"] = counts
            close(got, want, f"{name}, mask of {dtype}", mistakes=mistakes)
    mask = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1]])
    body, head = _gradients(lambda h, v: fn(h, mask, v).sum(), hidden, w, wrt=(0, 1))
    if body is None or head is None:
        fail("The gradient must reach the hidden states and the head: the body is trained too.")
    passed("sequence_reward")


@visible_check
def kl_objective(fn):
    """Worked numbers of the text, a non-uniform reference, a batch."""
    uniform, rewards = torch.full((3,), 1 / 3, dtype=F64), _t(2.5, 2.0, 1.0)
    close(
        fn(_t(1.0, 0.0, 0.0), uniform, rewards, 0.5),
        torch.tensor(2.5 - 0.5 * math.log(3), dtype=F64),
        "the greedy policy (0 ln 0 counts as 0)",
    )
    probs, ref = _t([0.5, 0.5], [0.9, 0.1]), _t([0.2, 0.8], [0.5, 0.5])
    close(
        fn(probs, ref, _t([1.0, 3.0], [0.0, -1.0]), 2.0),
        _t(1.5537128973715806, -0.8361284143369941),
        "two prompts, beta = 2",
        mistakes={
            "swap the two distributions in the KL": _t(1.614510485956485, -1.1216512475319815),
            "add beta * KL instead of subtracting it": _t(2.4462871026284194, 0.6361284143369942),
            "leave beta out": _t(1.7768564486857903, -0.46806420716849706),
            "average the rewards under the reference": _t(2.1537128973715806, -1.2361284143369942),
        },
    )
    passed("kl_objective")


@visible_check
def log_partition(fn):
    """The worked number, large rewards of both signs, a batch."""
    uniform, rewards = torch.full((3,), 1 / 3, dtype=F64), _t(2.5, 2.0, 1.0)
    want = 4.250399928100077
    close(
        fn(uniform, rewards, 0.5),
        torch.tensor(want, dtype=F64),
        "the worked example, beta = 0.5",
        mistakes={
            "multiply by beta (return ln Z itself)": torch.tensor(want / 2, dtype=F64),
            "use log10": torch.tensor(want / math.log(10), dtype=F64),
            "leave the logarithm out": torch.tensor(math.exp(want), dtype=F64),
            "leave the reference out": torch.tensor(want + math.log(3), dtype=F64),
        },
    )
    ref = _t([0.25, 0.75], [0.5, 0.5])
    close(
        fn(ref, _t([50.0, 50.0], [-30.0, -30.0]), 0.01),
        _t(5000.0, -3000.0),
        "equal rewards of 50 and of -30, beta = 0.01 (stay in logarithms: logsumexp)",
    )
    passed("log_partition")


@visible_check
def optimal_policy(fn):
    """The worked numbers, one prompt per row, both limits of beta."""
    uniform, rewards = torch.full((3,), 1 / 3, dtype=F64), _t(2.5, 2.0, 1.0)
    close(
        fn(uniform, rewards, 0.5),
        _t(0.7053845126982413, 0.2594964603424192, 0.03511902695933973),
        "the worked example, beta = 0.5",
        mistakes={
            "multiply by beta instead of dividing": _t(
                0.44421397916166544, 0.3459541948223698, 0.20983182601596487
            ),
        },
        rtol=1e-9,
    )
    ref = _t([0.7, 0.3], [0.1, 0.9])
    got = fn(ref, _t([0.0, math.log(7)], [1000.0, 1000.0]), 1.0)
    close(
        got,
        _t([0.25, 0.75], [0.1, 0.9]),
        "two prompts with different references (each row has its own Z)",
        mistakes={"leave the reference out": _t([0.125, 0.875], [0.5, 0.5])},
    )
    close(fn(ref[0], _t(3.0, 5.0), 1e12), ref[0], "a huge beta returns the reference")
    close(fn(ref[0], _t(3.0, 5.0), 1e-3), _t(0.0, 1.0), "beta = 0.001: R / beta is 5000")
    passed("optimal_policy")


@visible_check
def objective_gap(fn):
    """Known regrets on the bandit, and none at the optimum."""
    uniform, rewards = torch.full((3,), 1 / 3, dtype=F64), _t(2.5, 2.0, 1.0)
    policies = torch.stack([uniform, _t(1.0, 0.0, 0.0)])
    close(
        fn(policies, uniform.expand(2, 3), rewards.expand(2, 3), 0.5),
        _t(0.29186663071670504, 0.1745061083840932),
        "the reference and the greedy policy, beta = 0.5",
        mistakes={
            "leave the factor beta out": _t(0.5837332614334101, 0.3490122167681864),
            "measure the KL to the reference instead of to pi*": _t(0.0, 0.5 * math.log(3)),
            "return J(pi) - J(pi*)": _t(-0.29186663071670504, -0.1745061083840932),
        },
    )
    ref = _t(0.2, 0.8)
    optimum = _t(0.2 * 4, 0.8) / 1.6
    at_optimum = fn(optimum, ref, _t(2 * math.log(4), 0.0), 2.0)
    if not abs(float(at_optimum)) < 1e-12:
        fail(f"At pi* the regret is 0; you returned {float(at_optimum)}. Is the reference in pi*?")
    passed("objective_gap")


@visible_check
def implicit_reward(fn):
    """The worked number, long completions, a gradient."""
    close(
        fn(_t(-3.7, -2000.0), _t(-4.9, -1990.0), 0.1),
        _t(0.12, -1.0),
        "the worked example and a completion of ln pi = -2000",
        mistakes={
            "subtract in the other order": _t(-0.12, 1.0),
            "leave beta out": _t(1.2, -10.0),
            "divide by beta": _t(12.0, -100.0),
        },
    )
    (slope,) = _gradients(lambda x: fn(x, _t(-4.9), 0.1).sum(), _t(-3.7), wrt=(0,))
    close(slope, _t(0.1), "the slope in logp")
    passed("implicit_reward")


@visible_check
def optimal_log_odds(fn):
    """A well-formed formula whose value is right at three points."""
    tree = fn()
    points = (
        ("equal rewards", (0.4, 0.1, 1.0, 1.0, 0.5), math.log(4)),
        ("equal references", (0.2, 0.2, 3.0, 1.0, 0.5), 4.0),
        ("everything different", (0.3, 0.6, 1.0, 2.5, 2.0), -LN2 - 0.75),
    )
    for what, values, want in points:
        names = ("ref_w", "ref_l", "reward_w", "reward_l", "beta")
        point = dict(zip(names, values, strict=True))
        try:
            got = formulas.evaluate(tree, point)
        except formulas.FormulaError as error:
            fail(f"Your formula cannot be evaluated: {error}. (Did you return .tree?)")
        mistakes = {
            "return the odds without the logarithm": math.exp(want),
            "swap the two completions": -want,
        }
        close(got, want, f"{formulas.pretty(tree)} at {point} ({what})", mistakes=mistakes)
    print("your formula:", formulas.pretty(tree))
    passed("optimal_log_odds")


# Log-probabilities of three pairs; the gaps dh are 5, -5 and 0.
_PAIRS = (
    _t(-10.0, -20.0, -7.0),
    _t(-14.0, -12.0, -9.0),
    _t(-12.0, -16.0, -5.0),
    _t(-11.0, -13.0, -7.0),
)


@visible_check
def dpo_loss(fn):
    """ln 2 at the start, three pairs by hand, huge gaps, gradients, a constant reference."""
    start = _t(-30.0, -50.0)
    close(
        fn(start, start - 3, start, start - 3, 0.3),
        torch.tensor(LN2, dtype=F64),
        "policy = reference costs ln 2",
    )
    each = _t(0.20141327798275246, 1.7014132779827524, LN2)
    close(
        fn(*_PAIRS, 0.3, reduction="none"),
        each,
        "gaps dh of 5, -5 and 0, beta = 0.3, one loss per pair",
        mistakes={
            "leave the reference out": torch.nn.functional.softplus(-0.3 * _t(4.0, -8.0, 2.0)),
            "leave beta out": _t(0.006715348489117967, 5.006715348489118, LN2),
            "swap chosen and rejected": _t(1.7014132779827524, 0.20141327798275246, LN2),
        },
    )
    close(fn(*_PAIRS, 0.3), each.mean(), "the default reduction is the mean")
    close(fn(*_PAIRS, 0.3, reduction="sum"), each.sum(), 'reduction="sum"')
    raises(ValueError, lambda: fn(*_PAIRS, 0.3, reduction="max"), what='reduction="max"')
    far = fn(_t(-1000.0), _t(0.0), _t(0.0), _t(0.0), 1.0)
    close(far, torch.tensor(1000.0, dtype=F64), "beta * dh = -1000 (use logsigmoid or softplus)")
    got = _gradients(lambda *a: fn(*a, 0.3), *_PAIRS, wrt=(0, 1, 2, 3))
    pull = 0.1 * torch.sigmoid(-0.3 * _t(5.0, -5.0, 0.0))
    if got[0] is None or got[1] is None:
        fail("The gradient must reach both the chosen and the rejected log-probabilities.")
    close(torch.stack(got[:2]), torch.stack([-pull, pull]), "gradients, chosen and rejected")
    if any(g is not None and bool(g.any()) for g in got[2:]):
        fail("A gradient reaches the reference. It is a constant: detach it.")
    passed("dpo_loss")


@visible_check
def dpo_loss_gradient(fn):
    """Three pairs by hand, and huge gaps."""
    got = fn(*_PAIRS, 0.3)
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        fail("Return two tensors: the derivatives in chosen_logps and in rejected_logps.")
    pull = _t(0.018242552380635635, 0.08175744761936437, 0.05)
    close(
        torch.stack(tuple(got)),
        torch.stack([-pull, pull]),
        "gaps dh of 5, -5 and 0, beta = 0.3",
        mistakes={
            "leave out the 1/B of the mean": torch.stack([-pull, pull]) * 3,
            "swap the signs (this is the gradient of -L)": torch.stack([pull, -pull]),
            "leave out the factor beta of the chain rule": torch.stack([-pull, pull]) / 0.3,
            "use sigma(+beta dh) as the weight": torch.stack([pull - 0.1, 0.1 - pull]),
        },
    )
    far = fn(_t(-1000.0, 1000.0), _t(0.0, 0.0), _t(0.0, 0.0), _t(0.0, 0.0), 1.0)
    close(far[1], _t(0.5, 0.0), "beta * dh of -1000 and 1000")
    passed("dpo_loss_gradient")


@visible_check
def dpo_population_gradient(fn):
    """Stationary at pi* under Bradley-Terry; a known vector under deterministic labels."""
    rewards, ref, beta = _t(2.5, 2.0, 1.0), torch.full((3,), 1 / 3, dtype=F64), 0.5
    mu = torch.outer(_t(0.1, 0.2, 0.7), _t(0.05, 0.05, 0.9))
    gaps = rewards[:, None] - rewards[None, :]
    got = fn(rewards / beta, (gaps.sign() + 1) / 2, mu, ref, beta)
    close(
        got,
        _t(-0.014233150253883362, -0.026079647781288386, 0.040312798035171744),
        "at pi*, deterministic labels",
        rtol=1e-9,
    )
    ref = _t(0.2, 0.3, 0.5)
    got = fn(ref.log() + rewards / beta, torch.sigmoid(gaps), mu, ref, beta)
    if not (isinstance(got, torch.Tensor) and float(got.abs().max()) < 1e-12):
        fail(
            "At pi*, Bradley-Terry labels, reference (0.2, 0.3, 0.5): the gradient should vanish, "
            f"received {got}. Compare sigma(beta * dh), with beta, to the label probability; "
            "both outcomes count."
        )
    got = fn(
        _t(0.0, 0.0), _t([0.5, 1.0], [0.0, 0.5]), _t([0.0, 0.75], [0.25, 0.0]), _t(0.5, 0.5), 4.0
    )
    close(
        got,
        _t(-2.0, 2.0),
        "two arms, the first always wins, beta = 4",
        mistakes={
            "count the first of the two as the winner, whatever the label": _t(-1.0, 1.0),
            "leave out the factor beta of the chain rule": _t(-0.5, 0.5),
            "return the direction of ascent": _t(2.0, -2.0),
        },
    )
    got = fn(
        _t(900.0, 0.0), _t([0.5, 1.0], [0.0, 0.5]), _t([0.0, 1.0], [0.0, 0.0]), _t(0.5, 0.5), 1.0
    )
    if not bool(got.isfinite().all()):
        fail("A logit of 900 gives nan: softmax underflows before the logarithm. Use log_softmax.")
    passed("dpo_population_gradient")


@visible_check
def ipo_loss(fn):
    """Zero at the target, three pairs by hand, symmetry, a constant reference."""
    each = _t(16.0, 36.0, 1.0)
    close(
        fn(*_PAIRS, 0.5, reduction="none"),
        each,
        "gaps dh of 5, -5 and 0 with tau = 0.5: the target is 1",
        mistakes={
            "aim at 1/tau": _t(9.0, 49.0, 4.0),
            "aim at tau/2": (_t(5.0, -5.0, 0.0) - 0.25) ** 2,
            "leave the reference out": _t(9.0, 81.0, 1.0),
            "use (1/2 - tau dh)^2, which is tau^2 times the loss": each / 4,
        },
    )
    close(fn(*_PAIRS, 0.5), each.mean(), "the default reduction is the mean")
    close(fn(*_PAIRS, 0.5, reduction="sum"), each.sum(), 'reduction="sum"')
    raises(ValueError, lambda: fn(*_PAIRS, 0.5, reduction="max"), what='reduction="max"')
    at_target = fn(_t(-3.0), _t(-8.0), _t(-4.0), _t(-4.0), 0.1)
    if float(at_target) > 1e-20:
        fail(f"tau = 0.1 and dh = 5 = 1 / (2 tau) cost nothing; received {float(at_target)}.")
    got = _gradients(lambda *a: fn(*a, 0.5), *_PAIRS, wrt=(0, 1, 2, 3))
    if got[0] is None or got[1] is None:
        fail("The gradient must reach both the chosen and the rejected log-probabilities.")
    slope = _t(8.0, -12.0, -2.0) / 3
    close(torch.stack(got[:2]), torch.stack([slope, -slope]), "gradients, chosen and rejected")
    if any(g is not None and bool(g.any()) for g in got[2:]):
        fail("A gradient reaches the reference. It is a constant: detach it.")
    passed("ipo_loss")


@visible_check
def ipo_two_arm_solution(fn):
    """Known values, a coin-flip label, a tiny tau."""
    close(
        fn(1.0),
        0.6224593312018546,
        "tau = 1, the first always wins",
        mistakes={
            "return DPO's answer": 1.0,
            "use 1/tau for the gap": 0.7310585786300049,
        },
    )
    close(
        fn(0.25, 0.8),
        0.7685247834990175,
        "tau = 0.25, p = 0.8",
        mistakes={
            "forget p": 0.8807970779778823,
            "use tau/2 instead of 1/(2 tau)": 0.5187412158785352,
            "use p instead of 2p - 1": 0.8320183851339245,
        },
    )
    close(fn(0.3, 0.5), 0.5, "p = 1/2")
    if not isinstance(fn(0.3), float):
        fail(f"Return a Python float; received a {type(fn(0.3)).__name__}.")
    close([fn(1e-4, 1.0), fn(1e-4, 0.0)], [1.0, 0.0], "tau = 1e-4, p = 1 and p = 0")
    passed("ipo_two_arm_solution")


@visible_check
def ipo_closed_form(fn):
    """Bradley-Terry labels, two arms, a cycle, a tiny tau."""
    uniform, rewards = torch.full((3,), 1 / 3, dtype=F64), _t(2.5, 2.0, 1.0)
    prefs = torch.sigmoid(rewards[:, None] - rewards[None, :])
    close(
        fn(uniform, uniform, prefs, 0.5),
        _t(0.4312087223069898, 0.3457223077505419, 0.2230689699424684),
        "the three arms, uniform mu, tau = 0.5",
        mistakes={
            "read the table by columns (the losers)": _t(
                0.23921484614409488, 0.29836526556188536, 0.46241988829401975
            ),
            "return the optimum for the reward itself": _t(
                0.7053845126982413, 0.2594964603424192, 0.03511902695933973
            ),
        },
    )
    sure = _t([0.5, 1.0], [0.0, 0.5])
    close(
        fn(_t(0.5, 0.5), _t(0.5, 0.5), sure, 1.0),
        _t(0.6224593312018546, 0.3775406687981454),
        "two arms, tau = 1: the number of ipo_two_arm_solution",
        mistakes={
            "leave y itself out of its opponents": _t(0.7310585786300049, 0.2689414213699951)
        },
    )
    order = _t([0.5, 1.0, 1.0], [0.0, 0.5, 1.0], [0.0, 0.0, 0.5])
    close(
        fn(uniform, _t(0.2, 0.3, 0.5), order, 0.5),
        _t(0.5321802894514172, 0.32278366204702824, 0.14503604850155455),
        "y1 beats y2 beats y3, opponents (0.2, 0.3, 0.5), tau = 0.5",
        mistakes={
            "ignore mu": _t(0.5627416864987679, 0.2889212154417395, 0.1483370980594927),
            "give a completion nothing for meeting itself": _t(
                0.5711974309736065, 0.3134797966253297, 0.11532277240106367
            ),
        },
    )
    cycle = _t([0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5])
    ref = _t(0.6, 0.3, 0.1)
    close(fn(ref, uniform, cycle, 0.2), ref, "rock, paper, scissors: nobody wins, ref stays")
    close(fn(_t(0.5, 0.5), _t(0.5, 0.5), sure, 1e-4), _t(1.0, 0.0), "tau = 1e-4")
    passed("ipo_closed_form")
